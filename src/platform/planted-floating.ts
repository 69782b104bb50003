async function planted(): Promise<void> {}
planted();
