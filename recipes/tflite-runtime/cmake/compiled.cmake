# What was compiled once, for projects that link it: the Python module and the C library.
#
# Given: COMPILED, where the archives are; TENSORFLOW and the places of other sources, by the names
# that TensorFlow Lite's own project has for them; MORE_INCLUDES; the language's STANDARD.
set(CMAKE_CXX_STANDARD ${STANDARD})
file(GLOB_RECURSE ARCHIVES ${COMPILED}/*.a)

# Compile a target as TensorFlow Lite was, and let it see the same headers.
function(crosspi_like_compiled TARGET)
  target_include_directories(${TARGET} PRIVATE
    ${TENSORFLOW}
    ${MORE_INCLUDES}
    ${FETCHCONTENT_SOURCE_DIR_EIGEN}
    ${FETCHCONTENT_SOURCE_DIR_ABSEIL-CPP}
    ${FETCHCONTENT_SOURCE_DIR_FLATBUFFERS}/include
    ${FETCHCONTENT_SOURCE_DIR_GEMMLOWP}
    ${FETCHCONTENT_SOURCE_DIR_ML_DTYPES}
    ${FETCHCONTENT_SOURCE_DIR_ML_DTYPES}/ml_dtypes
    ${FETCHCONTENT_SOURCE_DIR_RUY}
    ${FETCHCONTENT_SOURCE_DIR_CPUINFO}/include
    ${PTHREADPOOL_SOURCE_DIR}/include)
  target_compile_definitions(${TARGET} PRIVATE
    EIGEN_MPL2_ONLY EIGEN_NEON_GEBP_NR=4 TFLITE_BUILD_WITH_XNNPACK_DELEGATE TFL_STATIC_LIBRARY_BUILD)
endfunction()

# Link a target with all archives; the linker takes of them what is asked for.
function(crosspi_link_compiled TARGET)
  target_link_libraries(${TARGET} PRIVATE
    -Wl,--start-group ${ARCHIVES} -Wl,--end-group -pthread m dl)
endfunction()
