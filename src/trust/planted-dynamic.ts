export const planted = (): unknown => import('../execution/planted-target.ts');
