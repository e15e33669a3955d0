/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PORT_ARCH_X86_64_VALGRIND_H
#define PORT_ARCH_X86_64_VALGRIND_H

/*
 * See arch.h.  Four rotations of rdi that together turn it once around, so do
 * nothing, and then an exchange that does nothing: valgrind knows these by
 * sight, takes the address of six words from rax and answers in rdx.
 */
static inline uintptr_t
arch_valgrind(const uintptr_t request[6], uintptr_t otherwise)
{
	__asm__ volatile("rolq $3, %%rdi\n\t"
			 "rolq $13, %%rdi\n\t"
			 "rolq $61, %%rdi\n\t"
			 "rolq $51, %%rdi\n\t"
			 "xchgq %%rbx, %%rbx"
			 : "+d"(otherwise)
			 : "a"(request)
			 : "cc", "memory");
	return otherwise;
}

#endif /* PORT_ARCH_X86_64_VALGRIND_H */
