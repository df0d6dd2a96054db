#!/bin/sh
# Reads the files of this folder with the programs that they are for, and says which of these are not there. Nothing is started.
set -eu
cd "$(dirname "$0")"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

there() {
    command -v "$1" > /dev/null 2>&1 && return
    echo "SKIPPED: $2 (no $1 here)"
    return 1
}
ok() { echo "ok: $*"; }

# Any YAML is read by a parser; what is rendered is, too.
yaml() {
    python3 -c 'import sys, yaml
for name in sys.argv[1:]:
    with open(name) as file:
        for one in yaml.safe_load_all(file):
            if not isinstance(one, dict): sys.exit(f"{name}: not a mapping")' "$@"
}
if there python3 "YAML" && python3 -c 'import yaml' 2> /dev/null; then
    yaml compose/compose.yaml chart/Chart.yaml chart/values.yaml
    ok "compose.yaml, Chart.yaml and values.yaml are YAML"
    parser=yes
else
    echo "SKIPPED: YAML (python3 has no yaml here)"
    parser=no
fi

if there systemd-analyze "the unit"; then
    # The program need not be installed where the file is checked.
    sed 's|^ExecStart=/usr/local/bin/blindray|ExecStart=/bin/true|' systemd/blindray.service > "$work/blindray.service"
    said=$(systemd-analyze verify --man=no "$work/blindray.service" 2>&1) || { echo "$said" >&2; exit 1; }
    # Keys that it does not know are warnings to it.
    case $said in
        *blindray.service*) echo "$said" >&2; exit 1 ;;
    esac
    ok "systemd/blindray.service"
fi

if there haproxy "the balancer"; then
    haproxy -c -f compose/haproxy.cfg > "$work/haproxy" 2>&1 || { cat "$work/haproxy" >&2; exit 1; }
    ok "compose/haproxy.cfg"
fi

compose=
if command -v docker-compose > /dev/null 2>&1; then
    compose=docker-compose
elif command -v docker > /dev/null 2>&1 && docker compose version > /dev/null 2>&1; then
    compose='docker compose'
fi
if [ -n "$compose" ]; then
    $compose -f compose/compose.yaml config --quiet
    ok "compose/compose.yaml, by $compose"
else
    echo "SKIPPED: compose.yaml (neither docker compose nor docker-compose here)"
fi

if there helm "the chart"; then
    cat > "$work/values.yaml" <<'VALUES'
clients: |
  SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA St. Elsewhere urgent bytes=50GB
  SHA256:BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB Ward 3
secrets: {identity: a, model: b, preparations: c, store: d, storeAuthority: e}
model: {volume: {persistentVolumeClaim: {claimName: models}}}
VALUES
    helm lint --strict --values "$work/values.yaml" chart > "$work/lint" 2>&1 || { cat "$work/lint" >&2; exit 1; }
    helm template check chart --values "$work/values.yaml" > "$work/rendered.yaml"
    if [ "$parser" = yes ]; then
        yaml "$work/rendered.yaml"
    fi
    ok "the chart, rendered"
    # Without what it needs it says so.
    for needed in clients secrets.identity secrets.preparations secrets.store model.volume; do
        case $needed in
            model.volume) nothing='model.volume=null' ;;
            *) nothing="$needed=" ;;
        esac
        if helm template check chart --values "$work/values.yaml" --set "$nothing" > /dev/null 2> "$work/said"; then
            echo "the chart is rendered without $needed" >&2
            exit 1
        fi
        grep -q "$needed" "$work/said" || { cat "$work/said" >&2; exit 1; }
    done
    ok "the chart says what is missing"
fi
