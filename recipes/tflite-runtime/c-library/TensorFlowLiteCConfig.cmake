# find_package(TensorFlowLiteC): the targets TensorFlowLiteC::shared and TensorFlowLiteC::static.
get_filename_component(_prefix ${CMAKE_CURRENT_LIST_DIR}/../../.. ABSOLUTE)
find_package(Threads REQUIRED)

if(NOT TARGET TensorFlowLiteC::shared)
  add_library(TensorFlowLiteC::shared SHARED IMPORTED)
  set_target_properties(TensorFlowLiteC::shared PROPERTIES
    IMPORTED_LOCATION ${_prefix}/lib/libtensorflowlite_c.so
    IMPORTED_SONAME libtensorflowlite_c.so
    INTERFACE_INCLUDE_DIRECTORIES ${_prefix}/include)

  add_library(TensorFlowLiteC::static STATIC IMPORTED)
  set_target_properties(TensorFlowLiteC::static PROPERTIES
    IMPORTED_LOCATION ${_prefix}/lib/libtensorflowlite_c.a
    INTERFACE_INCLUDE_DIRECTORIES ${_prefix}/include
    INTERFACE_LINK_LIBRARIES "Threads::Threads;m;dl")
endif()
unset(_prefix)
