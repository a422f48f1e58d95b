// CMake makes no library of archives alone.
