/* SPDX-License-Identifier: BSD-2-Clause */
/* elf.c - whether a program can be preloaded into */
#define _GNU_SOURCE 1
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "tool.h"

/* As deep as the kernel follows #! lines, and its bound for the headers. */
#define SCRIPT_DEPTH 4
#define HEADERS_MAX  ((size_t)65536)

/* Class and machine sit at the same place in both sizes of ELF file. */
struct head {
	unsigned char ident[EI_NIDENT];
	uint16_t type;
	uint16_t machine;
};

/* ---- scripts ---- */

static char *
next_word(char **rest)
{
	char *word = *rest + strspn(*rest, " \t");
	size_t length = strcspn(word, " \t\n");

	*rest = word + length;
	if (word[length] != '\0') {
		word[length] = '\0';
		(*rest)++;
	}
	return *word != '\0' ? word : NULL;
}

/*
 * The program that runs a script; NULL if the file is no script.  For
 * "#!/usr/bin/env NAME" that is NAME.
 */
static char *
interpreter(int fd)
{
	char line[256];
	ssize_t length = pread(fd, line, sizeof line - 1, 0);
	char *rest = line + 2;
	char *program, *argument;

	if (length < 3 || line[0] != '#' || line[1] != '!')
		return NULL;
	line[length] = '\0';
	line[strcspn(line, "\n")] = '\0';
	program = next_word(&rest);
	if (program == NULL)
		return NULL;
	argument = next_word(&rest);
	if (strcmp(basename(program), "env") == 0 && argument != NULL) {
		/* -S lets a line hold more words than one. */
		if (strcmp(argument, "-S") == 0)
			argument = next_word(&rest);
		if (argument != NULL && *argument != '-' &&
		    strchr(argument, '=') == NULL)
			return find_in_path(argument);
	}
	return must(strdup(program));
}

/* ---- programs ---- */

/*
 * Whether any program header is PT_INTERP: the loader has a part in it.  What
 * the kernel does not run anyway may be said to have one.
 */
static bool
has_loader(int fd, bool is_64)
{
	Elf64_Ehdr h64;
	Elf32_Ehdr h32;
	uint64_t offset;
	size_t count, stride;
	bool good;

	if (is_64) {
		if (pread(fd, &h64, sizeof h64, 0) != sizeof h64)
			return true;
		offset = h64.e_phoff;
		count = h64.e_phnum;
		stride = h64.e_phentsize;
		good = stride == sizeof(Elf64_Phdr);
	} else {
		if (pread(fd, &h32, sizeof h32, 0) != sizeof h32)
			return true;
		offset = h32.e_phoff;
		count = h32.e_phnum;
		stride = h32.e_phentsize;
		good = stride == sizeof(Elf32_Phdr);
	}
	if (!good || count * stride > HEADERS_MAX)
		return true;
	for (size_t i = 0; i < count; i++) {
		uint32_t type; /* the first field of both kinds */

		if (pread(fd, &type, sizeof type,
			(off_t)(offset + i * stride)) != sizeof type)
			return true;
		if (type == PT_INTERP)
			return true;
	}
	return false;
}

/* What the kernel would raise at exec, so that the loader plays safe. */
static const char *
privilege(const char *path, int fd)
{
	struct statvfs where;
	struct stat st;

	if (fstat(fd, &st) != 0 || fstatvfs(fd, &where) != 0 ||
	    (where.f_flag & ST_NOSUID) != 0)
		return NULL;
	if ((st.st_mode & S_ISUID) != 0 && st.st_uid != getuid())
		return "setuid";
	if ((st.st_mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP) &&
	    st.st_gid != getgid())
		return "setgid";
	/* Root has the capabilities already. */
	if (getuid() != 0 && getxattr(path, "security.capability", NULL, 0) > 0)
		return "given capabilities";
	return NULL;
}

/* Opening anything but a file may wait for ever, or do something. */
static int
open_file(const char *path)
{
	struct stat st;

	if (stat(path, &st) != 0 || !S_ISREG(st.st_mode))
		return -1;
	return open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
}

static bool
read_head(const char *path, struct head *head)
{
	int fd = open_file(path);
	bool ok;

	if (fd < 0)
		return false;
	ok = pread(fd, head, sizeof *head, 0) == (ssize_t)sizeof *head &&
	     memcmp(head->ident, ELFMAG, SELFMAG) == 0;
	close(fd);
	return ok;
}

bool
elf_is(const char *path)
{
	struct head head;

	return read_head(path, &head);
}

static void
warn_program(const char *path, int fd, const char *library)
{
	const char *why = privilege(path, fd);
	struct head program, ours;

	if (why != NULL) {
		complain("warning: %s is %s: the loader ignores the preload,"
			 " so it runs on its own malloc",
		    path, why);
		return;
	}
	if (!read_head(path, &program) || !read_head(library, &ours))
		return;
	if (program.ident[EI_CLASS] != ours.ident[EI_CLASS] ||
	    program.machine != ours.machine) {
		complain("warning: %s is for another machine than the library:"
			 " it runs on its own malloc",
		    path);
		return;
	}
	/* The loader itself has no loader, yet preloads when run by name. */
	if (strncmp(basename(path), "ld-", 3) == 0 ||
	    has_loader(fd, program.ident[EI_CLASS] == ELFCLASS64))
		return;
	complain("warning: %s is statically linked: no loader reads the"
		 " preload, so it runs on its own malloc",
	    path);
}

void
elf_warn(const char *path, const char *library)
{
	char *program = must(strdup(path));

	for (int depth = 0; program != NULL; depth++) {
		int fd = open_file(program);
		char *next;

		/* One that may be run but not read is left in peace. */
		if (fd < 0)
			break;
		next = interpreter(fd);
		if (next == NULL)
			warn_program(program, fd, library);
		close(fd);
		free(program);
		program = depth < SCRIPT_DEPTH ? next : NULL;
		if (program == NULL)
			free(next);
	}
	free(program);
}
