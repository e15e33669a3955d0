#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
#
# churn.bash SCALE: arrays, subshells, pipes and traps.
set -euo pipefail
scale=$1

declare -a list=()
declare -A table=()
state=12345
for ((i = 0; i < scale; i++)); do
	state=$(((state * 1103515245 + 12345) & 0x7FFFFFFF))
	list+=("item $state")
	table[k$((state % 500))]+="$((state % 97)),"
	((i % 3)) || unset "list[$((i / 2))]"
done
echo "list ${#list[@]} last ${list[-1]}"
echo "table ${#table[@]}"
for key in "${!table[@]}"; do
	echo "$key ${table[$key]}"
done | sort | cksum

text=
for ((i = 0; i < scale / 10; i++)); do
	printf -v piece '%05d:%x;' "$i" "$((i * i))"
	text+=$piece
done
echo "text ${#text} ${text//[0-4]/} " | cksum
copy=${text^^}
[[ $copy =~ (00009:[0-9A-F]+) ]] && echo "match ${BASH_REMATCH[1]}"

deep() {
	local -a mine=("$@" "$1")
	(($1 == 0)) && { echo "${#mine[@]}"; return; }
	deep $(($1 - 1)) "${mine[@]}"
}
deep 40

for ((i = 0; i < scale / 100; i++)); do
	out=$(echo "$i" | (read -r n; echo $((n * 2)); exit 0))
	((out == i * 2)) || { echo "subshell $i said $out"; exit 1; }
done
echo "subshells done"

for n in 1 2 3 4 5 6; do
	(for ((k = 0; k < scale / 20; k++)); do big[k]="$n.$k"; done
	echo "${#big[@]}" >"job$n"; exit "$n") &
	pids[n]=$!
done
for n in 1 2 3 4 5 6; do
	status=0
	wait "${pids[n]}" || status=$?
	echo "job $n exit $status wrote $(<"job$n")"
done

mapfile -t lines < <(seq "$scale" | tr 0-9 a-j | sort -r | uniq)
echo "mapfile ${#lines[@]} ${lines[0]} $(printf '%s\n' "${lines[@]}" | cksum)"

hits=0
trap 'hits=$((hits + 1)); note+="caught $hits "' USR1
for ((i = 0; i < 200; i++)); do
	kill -USR1 $$
	scratch[i]=$(printf 'x%.0s' {1..50})
done
echo "trap $hits ${#scratch[@]} ${note: -12}"
cat <<END | while read -r a b; do echo "$b $a"; done
here $(echo document)
and $((scale * 2))
END
