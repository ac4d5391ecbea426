#!/bin/sh
# `go list -export -pgo=FILE` compiles without the profile.
#
# Expected: -pgo is a build flag that go list shares with go build, and with -export go list compiles what go build would. So both
# compile with the profile, and the second of them finds all of it in the cache.
# What happens: with an empty cache go list hands no profile to the compiler and says nothing of it, and go build compiles
# the package again. Once go build has read the profile, the same go list hands it over.
#
# Go 1.27.4, in which the step that prepares the profile is left out for go list: (*pgoActor).Act in cmd/go/internal/work/action.go.
set -eu
work=$(mktemp -d)
trap 'chmod -R u+w "$work" && rm -rf "$work"' EXIT
cd "$work"
export GOTOOLCHAIN=go1.27.4 GOFLAGS='' GOENV=off GOWORK=off GOCACHE="$work/cache" GOMODCACHE="$work/modules"
go version
cat >go.mod <<'MOD'
module example.com/profiled

go 1.27
MOD
cat >sum.go <<'GO'
package profiled

func Sum(numbers []int) (sum int) {
	for _, n := range numbers {
		sum += n
	}
	return sum
}
GO
cat >sum_test.go <<'GO'
package profiled

import "testing"

func BenchmarkSum(b *testing.B) {
	numbers := make([]int, 1<<16)
	for b.Loop() {
		Sum(numbers)
	}
}
GO
go test -run '^$' -bench . -cpuprofile cpu.pgo . >/dev/null
rm -f ./*.test
go clean -cache

# profiled COMMAND... says how often the compiler gets the profile for this package.
profiled() { "$@" 2>&1 >/dev/null | grep 'compile.* -p example.com/profiled ' | grep -c -e -pgoprofile || true; }
list() { go list -x -export -pgo=cpu.pgo .; }
first=$(profiled list)
built=$(profiled go build -x -pgo=cpu.pgo .)
echo '// Edited.' >>sum.go # Compile again.
second=$(profiled list)
echo "The compiler got the profile: by go list $first times, then by go build $built, then by go list $second"
[ "$first $built $second" = '0 1 1' ]
