# For the scripts of parts (systems/*/build.sh): runs their stages, and what several of them do.
# The image has it as /usr/local/lib/crosspi/stages.sh; $BUILD is the scratch folder.

# The parts' compilers start with this.
[ -z "${CCACHE_DIR:-}" ] || export CROSSPI_CCACHE=ccache

LOG=

# stage FUNCTION: runs it with its output in a log, and says what it cost.
stage() {
  LOG=$BUILD/log-$1.txt TIMEFORMAT="$1: %U s user, %S s system, %R s"
  time "$1" > "$LOG" 2>&1
}

# stages DEFAULT…: runs these, or those of $STAGES where somebody wants only some of them.
stages() {
  local name
  for name in ${STAGES:-"$@"}; do stage "$name"; done
}

# A script that fails shows how its last stage ended.
trap '[ $? = 0 ] || [ -z "$LOG" ] || { echo "failed; the end of $LOG:"; tail -n 40 "$LOG" | cut -c1-300; }' EXIT

# cpython_sources FROM TO: a copy that may be patched. FROM has the tree, or the archive of
# python.org, whose tree nobody here has seen.
cpython_sources() {
  mkdir "$2"
  if [ -e "$1/configure" ]; then
    cp -r "$1/." "$2"
  else
    tar --extract --file "$(echo "$1"/*.tar.xz)" --strip-components=1 --directory "$2"
  fi
  chmod -R u+w "$2"
}

# cpython_tests LIB TO: moves its tests away, which `make install` would install and compile.
cpython_tests() {
  local folder
  cd "$1"
  find . -type d \( -name test -o -name tests \) -prune | while read -r folder; do
    mkdir -p "$2/$(dirname "$folder")"
    mv "$folder" "$2/$folder"
  done
}

# cpython_place VERSION: into $BUILD/python, where it is built of the sources in $TREE; $PLACE is the
# way to them. In any folder but its own 3.4 writes its generated files anew, by programs for the
# board; in its own it takes those that it brings, if they look new.
cpython_place() {
  PLACE=../tree
  if [ "$1" = 3.4 ]; then
    mv "$TREE" "$BUILD/python"; ln -s python "$TREE"; PLACE=.
    cd "$TREE"; touch Include/graminit.h Python/graminit.c Include/Python-ast.h \
      Python/Python-ast.c Python/opcode_targets.h Objects/typeslots.inc Python/importlib.h
  fi
  mkdir -p "$BUILD/python"; cd "$BUILD/python"
}
