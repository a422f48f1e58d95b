// Linked to see which C++ library the compiler has.
int main() { throw 1; }
