static struct xnn_dwconv_config f32_dwconv_config[XNN_MAX_F32_DWCONV_UKERNELS] = {0};
static void init_f32_dwconv_config(void) {
  f32_dwconv_config[1].minmax.unipass = (xnn_dwconv_unipass_ukernel_fn) xnn_f32_dwconv_minmax_ukernel_25p1c__scalar_acc2;
  f32_dwconv_config[1].init.f32 = xnn_init_f32_minmax_scalar_params;
  f32_dwconv_config[1].channel_tile = 1,
  f32_dwconv_config[1].channel_subtile = 1,
  f32_dwconv_config[1].channel_round = 1,
  f32_dwconv_config[1].primary_tile = 25;
}
