# Read by CMake right after TensorFlow Lite's project() call (CMAKE_PROJECT_tensorflow-lite_INCLUDE).
# TensorFlow Lite generates a header by flatc, which must run on the build machine: it is built here
# from the same source, by that machine's own compiler.
set(HOST_FLATC ${CMAKE_BINARY_DIR}/host-flatc)
execute_process(
  COMMAND ${CMAKE_COMMAND} -G Ninja -S ${FETCHCONTENT_SOURCE_DIR_FLATBUFFERS} -B ${HOST_FLATC}
    -DCMAKE_C_COMPILER=cc -DCMAKE_CXX_COMPILER=c++ -DCMAKE_BUILD_TYPE=Debug
    -DCMAKE_CXX_FLAGS_DEBUG=-O0 -DFLATBUFFERS_BUILD_TESTS=OFF -DFLATBUFFERS_INSTALL=OFF
  COMMAND_ERROR_IS_FATAL ANY)
execute_process(
  COMMAND ${CMAKE_COMMAND} --build ${HOST_FLATC} --target flatc
  COMMAND_ERROR_IS_FATAL ANY)
# In the cache: TensorFlow Lite's own `set(… CACHE …)` would take away anything else.
set(TFLITE_HOST_TOOLS_DIR ${HOST_FLATC} CACHE PATH "Where flatc is" FORCE)
