static struct xnn_binary_elementwise_config f32_vsub_config = {0};
static void init_f32_vsub_config(void) {
  f32_vsub_config.op_ukernel = (xnn_vbinary_ukernel_fn) xnn_f32_vsub_ukernel__scalar_u8;
  f32_vsub_config.opc_ukernel = (xnn_vbinary_ukernel_fn) xnn_f32_vsubc_ukernel__scalar_u8;
  f32_vsub_config.ropc_ukernel = (xnn_vbinary_ukernel_fn) xnn_f32_vrsubc_ukernel__scalar_u8;
  f32_vsub_config.element_tile = 8;
}
