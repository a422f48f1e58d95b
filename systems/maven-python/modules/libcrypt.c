/* The interpreter was linked with libcrypt.so.1, of which it uses nothing. In its place stands what
   its modules need and glibc has only for static linking. */
extern int __register_atfork(void (*)(void), void (*)(void), void (*)(void), void *);
extern void *__dso_handle;

int
pthread_atfork(void (*prepare)(void), void (*parent)(void), void (*child)(void))
{
    return __register_atfork(prepare, parent, child, __dso_handle);
}
