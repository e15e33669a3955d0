/* SPDX-License-Identifier: BSD-2-Clause */
/* find.c - where commands and libraries are */
#define _GNU_SOURCE 1
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tool.h"

#define LIBRARY "libuma_malloc.so.1"

static char *
join(const char *directory, const char *name)
{
	char *path = NULL;

	if (asprintf(&path, "%s/%s", directory, name) < 0)
		path = NULL;
	return must(path);
}

/* ---- commands ---- */

/* 0 if it can be run, or why not. */
static int
runnable(const char *path)
{
	struct stat st;

	if (stat(path, &st) != 0)
		return errno;
	if (!S_ISREG(st.st_mode))
		return EACCES;
	return access(path, X_OK) == 0 ? 0 : errno;
}

/* Look in each directory of PATH, as execvp() does; `*why` as runnable(). */
static char *
search_path(const char *name, int *why)
{
	const char *list = getenv("PATH");
	char *copy = must(strdup(list != NULL ? list : "/bin:/usr/bin"));
	char *rest = copy;
	char *directory;

	*why = ENOENT;
	while ((directory = strsep(&rest, ":")) != NULL) {
		char *path = join(*directory != '\0' ? directory : ".", name);
		int error = runnable(path);

		if (error == 0) {
			*why = 0;
			free(copy);
			return path;
		}
		/* One that may not be run beats one that is not there. */
		if (error == EACCES)
			*why = error;
		free(path);
	}
	free(copy);
	return NULL;
}

char *
find_in_path(const char *name)
{
	int why;

	return search_path(name, &why);
}

char *
find_command(const char *name)
{
	char *path;
	int why;

	if (strchr(name, '/') == NULL) {
		path = search_path(name, &why);
	} else {
		why = runnable(name);
		path = why == 0 ? must(strdup(name)) : NULL;
	}
	if (path != NULL)
		return path;
	if (why == ENOENT || why == ENOTDIR)
		fail(EXIT_NOTFOUND, "run: %s: command not found", name);
	fail(EXIT_NOEXEC, "run: %s: cannot be executed: %s", name,
	    strerror(why));
}

/* ---- libraries ---- */

/* Whether the loader could take it: an ELF shared object. */
static bool
is_library(const char *path)
{
	Elf64_Ehdr header;
	ssize_t length = -1;
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return false;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		length = pread(fd, &header, sizeof header, 0);
	close(fd);
	return length >= (ssize_t)sizeof(Elf32_Ehdr) &&
	       memcmp(header.e_ident, ELFMAG, SELFMAG) == 0 &&
	       header.e_type == ET_DYN;
}

/* A full path that can stand in LD_PRELOAD, which knows no quotes. */
static char *
usable_library(const char *path, const char *option)
{
	char *full = realpath(path, NULL);

	if (full == NULL)
		fail(EXIT_OWN, "run: %s: library not found: %s: %s", option,
		    path, strerror(errno));
	if (!is_library(full))
		fail(EXIT_OWN, "run: %s: not a shared library: %s", option,
		    path);
	if (strpbrk(full, ": \t\n") != NULL)
		fail(EXIT_OWN,
		    "run: %s: LD_PRELOAD cannot hold a path with a"
		    " blank or colon: %s",
		    option, full);
	return full;
}

/*
 * Beside the tool, as installed anywhere or as built; then where it was to be
 * installed.
 */
char *
find_library(const char *asked)
{
	static const char *const beside[] = { ("../" UMA_LIBDIR), "../lib",
		"../src" };
	char self[PATH_MAX];
	char *slash;
	ssize_t length;

	if (asked != NULL)
		return usable_library(asked, "--preload");
	length = readlink("/proc/self/exe", self, sizeof self - 1);
	self[length > 0 ? length : 0] = '\0';
	slash = strrchr(self, '/');
	for (size_t i = 0; slash != NULL && i < 3; i++) {
		char *directory, *path;

		*slash = '\0';
		directory = join(self, beside[i]);
		path = join(directory, LIBRARY);
		free(directory);
		if (is_library(path)) {
			char *full = usable_library(path, LIBRARY);

			free(path);
			return full;
		}
		free(path);
	}
	if (is_library(UMA_FULL_LIBDIR "/" LIBRARY))
		return usable_library(UMA_FULL_LIBDIR "/" LIBRARY, LIBRARY);
	fail(EXIT_OWN, "run: library not found: " LIBRARY
		       " is neither beside the tool nor in " UMA_FULL_LIBDIR
		       ": name it with --preload");
}

/* The peers by name: their files, the newest first, and Debian's package. */
static const struct {
	const char *name;
	const char *package;
	const char *files[6];
} peers[] = {
	{ "jemalloc", "libjemalloc2",
	    { "libjemalloc.so.2", "libjemalloc.so" } },
	{ "mimalloc", "libmimalloc2.0",
	    { "libmimalloc.so.3", "libmimalloc.so.2", "libmimalloc.so.2.1",
		"libmimalloc.so.2.0", "libmimalloc.so" } },
};

static char *
find_peer_file(const char *const *files)
{
	static const char *const places[] = { "/usr/local/lib", UMA_FULL_LIBDIR,
		("/usr/lib/" UMA_MULTIARCH), "/usr/lib64", "/usr/lib" };

	for (size_t f = 0; f < 6 && files[f] != NULL; f++) {
		for (size_t p = 0; p < sizeof places / sizeof *places; p++) {
			char *path = join(places[p], files[f]);

			if (is_library(path))
				return path;
			free(path);
		}
	}
	return NULL;
}

char *
find_peer(const char *peer)
{
	if (strcmp(peer, "glibc") == 0)
		return NULL;
	for (size_t i = 0; i < sizeof peers / sizeof *peers; i++) {
		char *path;

		if (strcmp(peer, peers[i].name) != 0)
			continue;
		path = find_peer_file(peers[i].files);
		if (path == NULL)
			fail(EXIT_OWN,
			    "run: --vs: %s is not installed"
			    " (Debian: apt install %s)",
			    peer, peers[i].package);
		return path;
	}
	if (strchr(peer, '/') == NULL && strstr(peer, ".so") == NULL)
		fail(EXIT_USAGE,
		    "run: --vs: glibc, jemalloc, mimalloc or the"
		    " path of a library, not '%s'",
		    peer);
	return usable_library(peer, "--vs");
}
