# Read by CMake right after TensorFlow Lite's project() call (CMAKE_PROJECT_tensorflow-lite_INCLUDE).
# It changes targets after TensorFlow's own CMakeLists.txt has made them, so no file is patched.

function(crosspi_adapt)
  # Only the five wrapper files see Python. Upstream passes Python's folders in the global flags,
  # which makes every Python version a full rebuild.
  target_include_directories(_pywrap_tensorflow_interpreter_wrapper
    SYSTEM PRIVATE ${CROSSPI_PYTHON_INCLUDES})
  # Python 2.7's headers say `register`, which C++17 has no more.
  target_compile_options(_pywrap_tensorflow_interpreter_wrapper
    PRIVATE $<$<COMPILE_LANGUAGE:CXX>:-Wno-register>)
  target_link_options(_pywrap_tensorflow_interpreter_wrapper
    PRIVATE "-Wl,--version-script=${CMAKE_CURRENT_FUNCTION_LIST_DIR}/pyinit.map")
  # The ruy that this recipe uses (2022-03) has no namespaced alias yet.
  if(NOT TARGET ruy::ruy)
    add_library(ruy::ruy ALIAS ruy)
  endif()
endfunction()

cmake_language(DEFER CALL crosspi_adapt)
