/* SPDX-License-Identifier: BSD-2-Clause */
/* namespaces - types of C++ programs, wherever they are defined */
#include <uma/malloc9.h>

namespace net {
static UMA_MALLOC_DEFINE(M_FRAME, "frame", "frames");
UMA_MALLOC_DEFINE(M_ROUTE, "route", "routes");

static struct malloc_type *
find(const char *name)
{
	return uma_malloc_desc2type(name);
}
} // namespace net

namespace {
UMA_MALLOC_DEFINE(M_HERE, "here", "of this file");
}

extern "C" {
UMA_MALLOC_DEFINE(m_everywhere, "everywhere", "of all files");
}

static bool
counts(struct malloc_type *type)
{
	struct uma_malloc_stats s;
	void *block = uma_malloc(100, type, M_WAITOK);

	uma_malloc_stats(type, &s);
	uma_mfree(block, type);
	return s.in_use == 1;
}

int
main()
{
	bool good = counts(net::M_FRAME) && counts(net::M_ROUTE) &&
		    counts(M_HERE) && counts(m_everywhere) &&
		    net::find("frame") == net::M_FRAME;

	return good ? 0 : 1;
}
