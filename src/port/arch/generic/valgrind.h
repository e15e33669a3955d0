/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PORT_ARCH_GENERIC_VALGRIND_H
#define PORT_ARCH_GENERIC_VALGRIND_H

static inline uintptr_t
arch_valgrind(const uintptr_t request[6], uintptr_t otherwise)
{
	(void)request;
	return otherwise;
}

#endif /* PORT_ARCH_GENERIC_VALGRIND_H */
