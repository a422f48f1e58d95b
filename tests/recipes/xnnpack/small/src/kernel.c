void xnn_qs8_qc8w_gemm_minmax_fp32_ukernel_2x8c2s4__neon_mlal(
    const union xnn_qs8_qc8w_conv_minmax_params params[1])
{
  vld1(&params->fp32_neon.output_min);
}
