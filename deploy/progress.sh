# shellcheck shell=bash
# Progress on a terminal or in a log; sourced by deploy/quickstart, tests/run and .ci/run.

# phase TEXT…: a headline with the time since the start.
phase() { printf '\n== [%3d:%02d] %s\n' $((SECONDS / 60)) $((SECONDS % 60)) "$*"; }

# build_quietly FOLDER [cmake --build arguments…]: builds; of ninja's progress it shows a line every few seconds, and
# everything else (warnings, errors) as it is.
build_quietly() {
  local folder=$1
  shift
  NINJA_STATUS='[%f/%t %es] ' cmake --build "$folder" -j "${HONRYU_JOBS:-$(nproc)}" "$@" 2>&1 | ninja_progress
}

ninja_progress() {
  local line last='' shown=-100
  while IFS= read -r line; do
    if [[ $line =~ ^\[[0-9]+/[0-9]+ ]]; then
      last=$line
      if [ $((SECONDS - shown)) -ge 10 ]; then
        printf '  %s\n' "${line:0:110}"
        shown=$SECONDS last=''
      fi
    else
      printf '  %s\n' "$line"
    fi
  done
  if [ -n "$last" ]; then printf '  %s\n' "${last:0:110}"; fi
}
