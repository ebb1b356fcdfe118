#!/usr/bin/env bash
# make lint: what the compiler of the build does not check. make format (--format) mends the layout.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1

mapfile -t code < <(find src test/unit test/fuzz \( -name '*.cpp' -o -name '*.hpp' \) 2>/dev/null | sort)
if [ "${1:-}" = --format ]; then exec clang-format -i "${code[@]}"; fi

problems=$(mktemp)
trap 'rm -f "$problems"' EXIT

# The walls: tools/layers.txt says which folder of src/ may include which. Only src/pg/postgres.hpp
# includes what is not ours in quotes, which is the server's; core/ includes nothing but C++ and
# Boost, and its headers refuse to stand after postgres.h.
find src -name '*.[ch]pp' | sort | xargs perl -ne '
  BEGIN {
    open my $table, "<", "tools/layers.txt" or die "tools/layers.txt: $!\n";
    my $folder;
    while (<$table>) {
      s/#.*//;
      ($folder, $_) = ($1, $2) if /^(\S+):(.*)/;
      for my $term (grep { $_ ne "-" } split) {
        my @named = grep { $_ eq $term || $term =~ m{/$} && "$_/" =~ /^\Q$term\E/ } @folders;
        print "tools/layers.txt:$.: $folder may not name $term, which no line before it has\n"
          if !@named;
        push @{ $terms{$folder} }, $term;
        $needs{$folder}{$_}{$term} = 1 for @named;
      }
      push @folders, $folder if length $folder && ($folders[-1] // "") ne $folder;
    }
  }
  # The name under which tools/layers.txt has a folder: its own, or that of all its unnamed siblings.
  sub line_of {
    my ($name) = @_;
    return $name if grep { $_ eq $name } @folders;
    (my $any = $name) =~ s{[^/]*$}{*};
    return (grep { $_ eq $any } @folders) ? $any : $name;
  }
  ($own = $ARGV) =~ s{^src/|/?[^/]*$}{}g;
  $own = "." if $own eq "";
  $folder = line_of($own);
  if (/^\s*#\s*include\s*"([^"]+)"/) {
    ($other = $file = $1) =~ s{/[^/]*$}{};
    if (!-e "src/$file") {
      print "$ARGV:$.: \"$file\" is a header of the server: only src/pg/postgres.hpp includes those\n"
        if $ARGV ne "src/pg/postgres.hpp";
    } elsif ($other ne $own) {
      print "$ARGV:$.: \"$file\" is for shmem/ alone: use shmem/shmem.hpp\n" if $file eq "shmem/area.hpp";
      print "$ARGV:$.: \"$file\" is for shmem/queue/ alone\n" if $file =~ m{^shmem/queue/(memory|steps)\.hpp$};
      $other = line_of($other);
      print "$ARGV:$.: $own/ may not include \"$file\" (tools/layers.txt)\n"
        if !$needs{$folder}{$other};
      $is_needed{$folder}{$_} = 1 for keys %{ $needs{$folder}{$other} // {} };
    }
  } elsif ($folder =~ m{^core\b} && /^\s*#\s*include\s*<([^>]+)>/) {
    print "$ARGV:$.: core/ may not include <$1>: C++ and Boost alone\n"
      if $1 !~ m{^(?:boost/.+|[a-z_0-9]+)$};
  }
  $refuses = 1 if /^#ifdef (PG_VERSION_NUM|POSTGRES_H)$/;
  print "$ARGV:$.: no \"using namespace\"\n" if /^\s*using namespace /;
  print "$ARGV:$.: only src/pg/ asks for the version of the server (pg/compat.hpp)\n"
    if /^\s*#\s*(if|elif)\b.*PG_VERSION_NUM/ && $folder ne "pg";
  if (eof) {
    print "$ARGV: a header of core/ has to refuse to stand after postgres.h\n"
      if $folder =~ m{^core\b} && $ARGV =~ /hpp$/ && !$refuses;
    print "$ARGV: $. lines; what is its one idea? (500 at most)\n" if $. > 500;
    $refuses = 0;
    close ARGV;
  }
  END {
    for my $folder (grep { !/\*$/ } @folders) {
      print "tools/layers.txt: $folder includes nothing of $_\n"
        for grep { !$is_needed{$folder}{$_} } @{ $terms{$folder} };
    }
  }' >>"$problems" 2>&1

# CREATE EXTENSION puts the target schema, where others may create, into the path.
for script in sql/metrics_refresh*--*.sql; do
  [ -e "$script" ] || continue
  perl -0777 -ne '
    s/--[^\n]*//g;
    print "$ARGV: the first statement is not SET LOCAL search_path = pg_catalog, pg_temp\n"
      unless /^\s*\\echo [^\n]*\n\s*SET LOCAL search_path = pg_catalog, pg_temp;/;' "$script" >>"$problems"
done

# A function that runs as its owner looks names up where its owner says, and nowhere else.
for script in sql/metrics_refresh*--*.sql; do
  [ -e "$script" ] || continue
  perl -0777 -ne '
    s/--[^\n]*//g;
    for (split /(?=^CREATE\b)/mi) {
      next unless /\bSECURITY\s+DEFINER\b/i;
      next if /\bSET\s+search_path\s*(=|TO)\s*\x27?pg_catalog\x27?,\s*\x27?pg_temp\b/i;
      my ($name) = /^CREATE\s+(?:OR\s+REPLACE\s+)?(?:FUNCTION|PROCEDURE)\s+([^\s(]+)/i;
      print "$ARGV: ", $name // "a statement", " is SECURITY DEFINER without SET search_path = pg_catalog, pg_temp\n";
    }' "$script" >>"$problems"
done

clang-format --dry-run -Werror "${code[@]}" 2>&1 | grep -E 'error|warning' |
  cut -d: -f1 | sort | uniq -c | awk '{ print $2 ": " $1 " lines not as clang-format has them (make format)" }' >>"$problems"

# The other compiler.
headers=$("${PG_CONFIG:-pg_config}" --includedir-server)
find src test/unit test/fuzz -name '*.cpp' 2>/dev/null | sort | xargs -P "$(nproc)" -n 4 \
  clang++ -std=c++17 -fsyntax-only -Isrc -Itest -isystem "$headers" -Wall -Wextra -Wshadow \
  -Wnon-virtual-dtor -Wold-style-cast -Werror 2>&1 | grep -E 'error:|warning:' | sort -u >>"$problems"

if [ -s "$problems" ]; then
  cat "$problems"
  echo "lint: $(wc -l <"$problems") problems"
  exit 1
fi
echo "lint: ${#code[@]} files, no problem"
