# Read by CMake right after TensorFlow Lite's project() call (CMAKE_PROJECT_tensorflow-lite_INCLUDE).
# It changes targets after TensorFlow's own CMakeLists.txt has made them, so no file is patched.

function(crosspi_adapt)
  # The ruy that this recipe uses (2022-03) has no namespaced alias yet.
  if(NOT TARGET ruy::ruy)
    add_library(ruy::ruy ALIAS ruy)
  endif()
endfunction()

cmake_language(DEFER CALL crosspi_adapt)
