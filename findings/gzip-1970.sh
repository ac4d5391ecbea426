#!/bin/sh
# gzip exits with 2 for a file from the first second of 1970, and compresses it nevertheless.
#
# Expected: the time in gzip's header is optional, and 0 stands for none (RFC 1952, 2.3.1). A file that is dated 0, as builds with
# SOURCE_DATE_EPOCH=0 make them, is compressed like one from a pipe, which has no time either: silently, with the exit code 0.
# What happens: "file timestamp out of range for gzip format", and the exit code 2, by which a script with `set -e` ends. Without a time
# in the header there is no warning: `gzip --no-name`, or `cat FILE | gzip`.
#
# gzip 1.12-1 of Debian 12. It is meant so: zip.c says that 0 stands for something else.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work" # apt-get downloads as a user of its own.
cd "$work"
apt-get download gzip=1.12-1 >/dev/null
dpkg-deb -x gzip_1.12-1_*.deb gzip
gzip=$work/gzip/bin/gzip
"$gzip" --version | head -n 1
echo hello >file
touch -d @0 file
code=0
"$gzip" <file >file.gz 2>said || code=$?
echo "gzip <file: exit code $code, $(sed 's/^[^:]*: //' said)"
echo "and what it has written: $("$gzip" -dc file.gz)"
[ "$code $("$gzip" -dc file.gz)" = '2 hello' ]
"$gzip" --no-name <file >/dev/null
echo hello | "$gzip" >/dev/null
