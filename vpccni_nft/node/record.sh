#!/bin/sh
# Record everything that decides packets on this node: rules of both back ends of iptables and of
# nftables, ipsets, the order of hooks, addresses, routes, devices, sysctls, versions, counters.
#
#   sh record.sh FOLDER          makes the folder FOLDER
#   sh record.sh NAME.tar.gz     makes an archive of the folder NAME
#
# It only reads. It needs root to read rules, and no Python. `vpccni-nft record` runs this very file.
# Each file is what one program prints; record.txt lists the programs, and how each of them ended:
# ok, missing (the program is not there), or failed and what it said.
# Exit codes: 0 recorded, 2 nothing recorded, 3 recorded, but for something that failed.
set -u
umask 077
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
LC_ALL=C
export PATH LC_ALL

fail() {
    echo "record: $1" >&2
    exit 2
}

[ $# -eq 1 ] && [ -n "$1" ] || fail "give the name of a folder or of a .tar.gz file to make"
case $1 in
/*) target=$1 ;;
*) target=./$1 ;;
esac
[ ! -e "$target" ] && [ ! -L "$target" ] || fail "$1 is there already: choose another name"
case $target in
*.tar.gz) folder=${target%.tar.gz} ;;
*) folder=${target%/} ;;
esac
name=${folder##*/}
draft=$(mktemp -d "${folder%/*}/.record.XXXXXX") || fail "cannot write beside $1"
trap 'rm -rf "$draft"' EXIT
trap 'exit 130' INT TERM HUP
out=$draft/$name
mkdir "$out" || fail "cannot write beside $1"
list=$out/record.txt

write() {
    printf '%s\n' "$1" >> "$list" || fail "cannot write in $out"
}

saved=0
failed=0

# A program that does not answer is taken for stuck.
patiently() {
    if command -v timeout > /dev/null; then
        timeout 60 "$@"
    else
        "$@"
    fi
}

# take FILE PROGRAM ARGUMENT...: what a program prints. Remarks of iptables-nft-save on standard
# error say that legacy tables are there as well, and are kept in front.
take() {
    file=$1
    shift
    if ! command -v "$1" > /dev/null; then
        write "$file: missing: $*"
        return 1
    fi
    patiently "$@" > "$draft/printed" 2> "$draft/said" < /dev/null
    ended=$?
    if [ $ended -ne 0 ]; then
        failed=1
        said=$(head -n 1 "$draft/said")
        write "$file: failed: $*: ${said:-exit code $ended}"
        return 1
    fi
    grep '^#' "$draft/said" > "$out/$file"
    cat "$draft/printed" >> "$out/$file" || fail "cannot write in $out"
    write "$file: ok: $*"
}

rules() {
    if take "$@"; then
        saved=1
    fi
}

write "vpccni-nft record 1"
write "host: $(uname -n)"
write "taken: $(date -u +%Y-%m-%dT%H:%M:%SZ)"
write ""

rules iptables-legacy.save iptables-legacy-save -c
rules ip6tables-legacy.save ip6tables-legacy-save -c
rules iptables-nft.save iptables-nft-save -c
rules ip6tables-nft.save ip6tables-nft-save -c
# Older releases have one program alone, and the version says of which back end it is.
if ! command -v iptables-nft-save > /dev/null && ! command -v iptables-legacy-save > /dev/null; then
    rules iptables.save iptables-save -c
    rules ip6tables.save ip6tables-save -c
fi
rules nft.txt nft list ruleset
take ipset.save ipset save
take hooks.txt nft list hooks
take iptables-version iptables --version
take nft-version nft --version
take ipset-version ipset --version
take kernel.txt uname -srvm
take addresses.json ip -j -d address
take routes.json ip -j -4 route show table all
take routes6.json ip -j -6 route show table all
take policies.json ip -j -4 rule
take policies6.json ip -j -6 rule

# The sysctls that decide where packets go and what conntrack takes them for.
for file in /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv4/conf/*/forwarding \
    /proc/sys/net/ipv4/conf/*/rp_filter /proc/sys/net/ipv4/conf/*/route_localnet \
    /proc/sys/net/ipv4/conf/*/accept_local /proc/sys/net/ipv4/conf/*/src_valid_mark \
    /proc/sys/net/ipv4/ip_nonlocal_bind /proc/sys/net/ipv4/fwmark_reflect \
    /proc/sys/net/ipv4/tcp_fwmark_accept /proc/sys/net/ipv6/conf/*/forwarding \
    /proc/sys/net/ipv6/conf/*/disable_ipv6 /proc/sys/net/ipv6/fwmark_reflect \
    /proc/sys/net/bridge/bridge-nf-call-* /proc/sys/net/netfilter/nf_conntrack_tcp_be_liberal \
    /proc/sys/net/netfilter/nf_conntrack_tcp_loose /proc/sys/net/netfilter/nf_conntrack_checksum \
    /proc/sys/net/netfilter/nf_conntrack_acct /proc/sys/net/netfilter/nf_conntrack_max; do
    if value=$(cat "$file" 2> /dev/null); then
        printf '%s = %s\n' "${file#/proc/sys/}" "$value"
    fi
done > "$out/sysctl.txt" || fail "cannot write in $out"
write "sysctl.txt: ok: cat /proc/sys/net/..."

[ $saved -eq 1 ] || {
    sed -n 's/^[^:]*: failed: /record: /p' "$list" >&2
    fail "no rules could be read: it takes root, and iptables or nft"
}
case $target in
*.tar.gz) tar -C "$draft" -czf "$draft/archive" "$name" && mv "$draft/archive" "$target" ;;
*) mv "$out" "$folder" ;;
esac || fail "cannot write $1"
[ $failed -eq 0 ] || exit 3
