# Sourced by .ci/run and .ci/prove: where things are built, and Python tools that need no installing by hand.
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/forewarn/target}"
export CARGO_TERM_COLOR="${CARGO_TERM_COLOR:-never}"
export PYTHONDONTWRITEBYTECODE=1
cd "$root" || exit 1
mkdir -p "$CARGO_TARGET_DIR" || exit 1

# venv NAME REQUIREMENT… makes a virtual environment under the target directory once for these requirements; sets $venv.
venv() {
  venv="$CARGO_TARGET_DIR/$1"; shift
  local want; want=$(printf '%s\n' "$@")
  if [ ! -x "$venv/bin/python" ] || [ "$(cat "$venv/.installed" 2>/dev/null)" != "$want" ]; then
    rm -rf "$venv"
    python3 -m venv "$venv" && "$venv/bin/python" -m pip install -q --disable-pip-version-check "$@" || return 1
    printf '%s' "$want" > "$venv/.installed"
  fi
}
