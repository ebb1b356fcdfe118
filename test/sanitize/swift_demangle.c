/*
 * Preloaded together with AddressSanitizer's runtime, for Debian 12's server.
 *
 * The runtime looks this symbol up when it starts. It starts at the first malloc(), which there comes
 * from libgpg-error's constructor, inside bindtextdomain() and under its lock. A look-up that fails
 * has dlerror() translate its message, which waits for the same lock: the server would hang before
 * main(). So the symbol is there. Null says that the name was not mangled.
 */
#include <stddef.h>

char *swift_demangle(const char *mangled, size_t length, char *buffer, size_t *size, unsigned flags)
{
	(void) mangled, (void) length, (void) buffer, (void) size, (void) flags;
	return NULL;
}
