# XNNPACK's unit tests of its operators, as its tree has them since 2025, in a folder of their own.
# (Those of its kernels are for the level full of the older one alone: see CMakeLists.txt.)
set(CMAKE_CXX_STANDARD 20)

file(STRINGS ${BUILD}/build.ninja DEFINES REGEX "^  DEFINES = .*-DXNN_ENABLE_ASSEMBLY=")
list(GET DEFINES 0 DEFINES)
string(REGEX MATCHALL "-D(XNN_[^ ]+)" DEFINES "${DEFINES}")

add_library(googletest STATIC
  ${GOOGLETEST_SOURCE}/googletest/src/gtest-all.cc
  ${GOOGLETEST_SOURCE}/googlemock/src/gmock-all.cc
  ${GOOGLETEST_SOURCE}/googletest/src/gtest_main.cc)
target_include_directories(googletest
  PUBLIC ${GOOGLETEST_SOURCE}/googletest/include ${GOOGLETEST_SOURCE}/googlemock/include
  PRIVATE ${GOOGLETEST_SOURCE}/googletest ${GOOGLETEST_SOURCE}/googlemock)

set(TEST ${XNNPACK_SOURCE}/test)
add_library(helpers STATIC
  ${TEST}/next_prime.cc
  ${TEST}/unary-ops.cc
  ${TEST}/operators/convolution-test-helpers.cc)
target_compile_options(helpers PUBLIC ${DEFINES} -DXNN_LOG_LEVEL=0)
target_include_directories(helpers PUBLIC
  ${XNNPACK_SOURCE} ${XNNPACK_SOURCE}/include ${XNNPACK_SOURCE}/src
  ${CPUINFO_SOURCE}/include ${PTHREADPOOL_SOURCE_DIR}/include
  ${FP16_SOURCE_DIR}/include ${FXDIV_SOURCE_DIR}/include)
# XNNPACK's library needs its kernels, and their tables, and these the library again.
file(GLOB_RECURSE ARCHIVES
  ${BUILD}/_deps/xnnpack-build/lib*.a
  ${BUILD}/_deps/cpuinfo-build/lib*.a
  ${BUILD}/pthreadpool/lib*.a)
target_link_libraries(helpers PUBLIC
  googletest -Wl,--start-group ${ARCHIVES} -Wl,--end-group -Wl,--gc-sections)

add_custom_target(operators)
foreach(name
    argmax-pooling-nhwc
    average-pooling-nhwc
    batch-matrix-multiply-nc
    binary-elementwise-nd
    constant-pad-nd
    constant-pad-nd-eager
    convert-nc
    convolution-nchw
    convolution-nhwc
    copy-nc
    copy-nc-eager
    deconvolution-nhwc
    deconvolution-nhwc-qd8-f32-qc8w
    depth-to-space-nchw2nhwc
    depth-to-space-nhwc
    dynamic-fully-connected-nc
    fully-connected-nc
    max-pooling-nhwc
    reduce-nd
    resize-bilinear-nchw
    resize-bilinear-nhwc
    rope-nthc
    slice-nd
    slice-nd-eager
    softmax-nc
    space-to-depth-nhwc
    transpose-nd
    transpose-nd-eager
    unary-elementwise-nc
    unpooling-nhwc)
  add_executable(operators-${name} ${TEST}/operators/${name}.cc)
  target_link_libraries(operators-${name} PRIVATE helpers)
  add_dependencies(operators operators-${name})
endforeach()
