static struct xnn_maxpool_config u8_maxpool_config = {0};
static void init_u8_maxpool_config(void) {
  u8_maxpool_config = (struct xnn_maxpool_config) {
    .ukernel = (xnn_maxpool_ukernel_fn) xnn_u8_maxpool_minmax_ukernel_9p8x__scalar_c1,
    .init.u8 = xnn_init_u8_minmax_scalar_params,
    .first_pass_tile_size = 9,
    .remainder_pass_tile_size = 8,
  };
}
