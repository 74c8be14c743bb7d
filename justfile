# Shortcuts; CI runs .ci/run.

# Lists the recipes.
default:
    @just --list

# The README's picture, from its recording.
picture:
    cargo run --example picture -- docs/bar.cast 15 3 > docs/bar.svg

# The tests that need nothing from the network; they need tmux, bash and a C compiler.
test:
    cargo test

fmt:
    cargo fmt --check

clippy:
    cargo clippy --all-targets -- -D warnings

doc:
    RUSTDOCFLAGS="-D warnings" cargo doc --no-deps

# The real CLI, from npm: every scenario on the oldest and the newest supported version.
real:
    scripts/install-claude.sh 2.1.145 2.1.330
    cargo build --release
    CLAUDE_RETRY_REAL=1 CLAUDE_RETRY_BIN=target/release/claude-retry cargo test --test real_headless --test real_tmux --test real_claude

# The same on four versions.
real-all:
    scripts/install-claude.sh 2.1.145 2.1.200 2.1.250 2.1.330
    cargo build --release
    CLAUDE_RETRY_REAL=all CLAUDE_RETRY_BIN=target/release/claude-retry cargo test --test real_headless --test real_tmux --test real_claude

# All of it, as the CI does.
ci:
    .ci/run

# Two hundred thousand random streams through the compositor.
streams:
    CLAUDE_RETRY_STREAMS=200000 cargo test --release --test compositor

# What the wrapper costs beside a C pass-through and `script`: a table, and the same as JSON. Run it alone.
bench:
    cargo bench --bench overhead

# The pure core alone: scanner, shadow, readers, bar, transcript.
bench-core *names:
    cargo bench --bench core -- {{names}}

# Licences, duplicate versions, sources and known advisories of the dependencies (needs cargo-deny).
deny:
    cargo deny --locked check

# Ten minutes of a CLI that draws, fails, is resized and stopped, with every invariant checked; `just soak 60s` for less.
soak length="10m":
    CLAUDE_RETRY_SOAK={{length}} cargo test --test soak -- --nocapture

# Each fuzz target for so many seconds, from seeds made of the recordings; targets may be named behind.
fuzz seconds="60" *targets:
    scripts/fuzz {{seconds}} {{targets}}

# What the bar looks like, with no CLI, no account and no network.
demo:
    cargo run --release -- ctl demo
