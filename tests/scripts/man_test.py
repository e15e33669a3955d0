# SPDX-License-Identifier: BSD-2-Clause
"""check-man finds bad markup and pages that would not be installed."""
import unittest

import tree

PAGE = """.Dd November 1, 2026
.Dt THING 3
.Os
.Sh NAME
.Nm thing
.Nd a thing
.Sh DESCRIPTION
It is a thing.
"""


class ManTest(tree.TreeTest):
    script = "check-man"

    def put_page(self, text, listed="install_man('thing.3')\n"):
        self.put("man/thing.3", text)
        self.put("man/meson.build", listed)

    def test_help(self):
        self.helps()

    def test_good(self):
        self.put_page(PAGE)
        self.accepts()

    def test_markup(self):
        self.put_page(PAGE + ".Bogus\n")
        self.refuses("man/thing.3:9: mend the markup")

    def test_unlisted(self):
        self.put_page(PAGE, listed="")
        self.refuses("man/thing.3:1: list it in man/meson.build")


if __name__ == "__main__":
    unittest.main()
