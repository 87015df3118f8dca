#!/usr/bin/env bash
# Prints every implemented call that no guest case covers and that is not excused in
# tests/lint/uncovered.txt ("name reason").
cd "$(dirname "$(readlink -f "$0")")/../.."
implemented=$(tr '\n' ' ' <syscalls/syscall.def | grep -oE '(^| )SYS\([0-9]+, [a-z0-9_]+' | sed 's/.*, //' | sort -u)
covered=$(grep -hoE '^CASE\([a-z0-9_]+,[[:space:]]*"[^"]*"' tests/syscalls/*.c 2>/dev/null | sed 's/.*"\(.*\)"/\1/' | tr ', ' '\n\n' | sort -u)
excused=$(cut -d' ' -f1 tests/lint/uncovered.txt 2>/dev/null | sort -u)
comm -23 <(echo "$implemented") <(printf '%s\n%s\n' "$covered" "$excused" | sort -u) |
  sed 's/$/: implemented, but no guest case covers it (tests\/syscalls) and tests\/lint\/uncovered.txt gives no reason/'
