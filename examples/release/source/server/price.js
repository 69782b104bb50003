/** Price in cents of `quantity` pieces: 10 % off from 10 pieces, 20 % from 100. */
export function priceOf(unitCents, quantity) {
  if (!Number.isInteger(unitCents) || unitCents < 0) throw new RangeError('unitCents must be a whole number of at least 0');
  if (!Number.isInteger(quantity) || quantity < 1) throw new RangeError('quantity must be a whole number of at least 1');
  const off = quantity >= 100 ? 0.2 : quantity >= 10 ? 0.1 : 0;
  return Math.round(unitCents * quantity * (1 - off));
}
