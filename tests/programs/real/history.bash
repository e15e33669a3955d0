#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# history.bash COUNT: make the repository `tree` with COUNT commits on main
# and a merged side branch at every tenth.  The same COUNT makes the same ids.
set -euo pipefail
count=$1

stamp() {
	export GIT_AUTHOR_DATE="$((1700000000 + $1 * 60)) +0000"
	export GIT_COMMITTER_DATE=$GIT_AUTHOR_DATE
}

grow() {
	local line
	mkdir -p "${1%/*}"
	for line in {1..12}; do
		echo "$2 $line $(($2 * 2654435761 * line % 1000003))"
	done >>"$1"
}

commit() {
	stamp "$1"
	git add -A
	git commit -q -m "$2" -m "Body of commit number $1."
}

git init -q -b main tree
cd tree
git config gc.autoDetach false
git config pack.threads 2
for ((i = 1; i <= count; i++)); do
	grow "code/part$((i % 7)).txt" "$i"
	grow "text/note$((i % 31)).txt" "$i"
	commit "$i" "change $i"
	if ((i % 10 == 0)); then
		git checkout -q -b "side$i" HEAD~1
		grow "side/branch$i.txt" "$i"
		commit "$i" "side $i"
		git checkout -q main
		git merge -q --no-ff --no-edit "side$i"
		git tag -a -m "Release $i." "v$i"
	fi
done
git rev-parse HEAD
