#!/bin/sh
# A CLI that does what its plan says: run N takes $WORLD/plan.N, a piece of shell that uses what is below.
n=$(($(cat "$WORLD/count" 2>/dev/null || echo 0) + 1))
echo "$n" > "$WORLD/count"
for arg; do printf '%s\n' "$arg"; done > "$WORLD/args.$n"

# The session, by the arguments.
id=00000000-0000-4000-8000-00000000000$n
before=
for arg; do
    case $before in --session-id | --resume) id=$arg ;; esac
    before=$arg
done
transcript=$HOME/.claude/projects/project/$id.jsonl
throttle='API Error: Server is temporarily limiting requests (not your usage limit) · Rate limited'

# line TYPE UUID PARENT REST: a line of the transcript.
line() {
    mkdir -p "$HOME/.claude/projects/project"
    printf '{"type":"%s","uuid":"%s","parentUuid":"%s","sessionId":"%s","timestamp":"%s",%s}\n' \
        "$1" "$2" "$3" "$id" "$(date -u +%Y-%m-%dT%H:%M:%S.999Z)" "$4" >> "$transcript"
}
# asked: the user's line of this run.
asked() { line user "u$n" "e$((n - 1))" '"message":{"role":"user","content":"hi"}'; }
# failed [TEXT]: the error's.
failed() {
    line assistant "e$n" "u$n" \
        "\"isApiErrorMessage\":true,\"message\":{\"content\":[{\"type\":\"text\",\"text\":\"${1:-$throttle}\"}]}"
}
# costs: what a run that resumes the session counts on from.
costs() { printf '{"type":"cost-state","totalCostUSD":1}\n' >> "$transcript"; }
# result IS_ERROR TEXT [TURNS] [TOKENS] [COST]: one line of JSON.
result() {
    printf '{"type":"result","subtype":"success","is_error":%s,"api_error_status":429,"duration_ms":10,"num_turns":%s,"result":"%s","session_id":"%s","total_cost_usd":%s,"usage":{"output_tokens":%s}}\n' \
        "$1" "${3:-1}" "$2" "$id" "${5:-0.5}" "${4:-0}"
}
init() { printf '{"type":"system","subtype":"init","run":%s}\n' "$n"; }
said() { printf '{"type":"assistant","run":%s,"text":"%s"}\n' "$n" "$1"; }
# What fails in each format.
fail_text() { asked; failed; printf '%s\n' "$throttle"; exit 1; }
fail_json() { asked; failed; result true "$throttle" "$@"; exit 1; }
fail_stream() { asked; init; said one; failed; result true "$throttle" "$@"; exit 1; }

. "$WORLD/plan.$n"
