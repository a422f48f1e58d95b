size_t xnn_init_qs8_qc8w_conv_minmax_fp32_neon_params(
  union xnn_qs8_qc8w_conv_minmax_params params[XNN_MIN_ELEMENTS(1)])
{
  params->fp32_neon.output_min = 1;
}
size_t xnn_init_f32_minmax_scalar_params(struct xnn_f32_minmax_params params[1]) {
  params->scalar.min = 1;
}
size_t xnn_init_u8_minmax_scalar_params(struct xnn_u8_minmax_params params[1]) {
  params->scalar.min = 1;
}
