#!/usr/bin/env bash
# The steps of action.yml. What a workflow's author or a pull request chooses comes through the environment, never as
# text of this script.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# Several gates of one job must not meet: folders, files and comments have a gate's name, safe in each of them.
name=$(printf %s "${GATE_NAME:-${GATE_MODEL:-}}" | LC_ALL=C tr -cs 'A-Za-z0-9._' - | cut -c1-100)
folder="$RUNNER_TEMP/pocketclip-gate-$name"
base="$RUNNER_TEMP/pocketclip-base-$name"
export POCKETCLIP_CACHE="$RUNNER_TEMP/pocketclip-cache"
venv="$POCKETCLIP_CACHE/venv"
python="${POCKETCLIP_PYTHON:-$venv/bin/python}"

# The emulated phone needs root for chroot.
as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo --preserve-env=POCKETCLIP_CACHE,PYTHONPATH "$@"; fi; }
measuring() { if [ "$GATE_MEASURE" = instructions ]; then as_root "$@"; else "$@"; fi; }

case "$1" in
paths)
  {
    echo "name=$name"
    echo "folder=$folder"
    echo "cache=$POCKETCLIP_CACHE"
    echo "pins=$(cat "$here/pyproject.toml" "$here/constraints.txt" | sha256sum | cut -c1-16)"
  } >>"$GITHUB_OUTPUT"
  ;;
prepare)
  mkdir -p "$POCKETCLIP_CACHE"
  make -C "$here" setup VENV="$venv" EXTRAS=all
  if [ "$GATE_MEASURE" = instructions ]; then
    as_root apt-get update -qq
    as_root apt-get install -y -qq --no-install-recommends mmdebstrap debian-archive-keyring gcc libc6-dev >/dev/null
    as_root "$python" -m pocketclip devices create emulator-arm64
    # The cache's action reads it as the runner's user.
    as_root chown -R "$(id -u)" "$POCKETCLIP_CACHE"
  fi
  ;;
base)
  git -C "$GITHUB_WORKSPACE" fetch --quiet --depth 1 origin "$GATE_BASE"
  # One that an earlier gate left, with root's files in it where it counted; git takes the place again with --force.
  rm -rf "$base" 2>/dev/null || as_root rm -rf "$base"
  git -C "$GITHUB_WORKSPACE" worktree add --quiet --force --detach "$base" FETCH_HEAD
  ;;
compare)
  options=(--name "$name" --model "$GATE_MODEL" --target "$GATE_TARGET" --quantize "$GATE_QUANTIZE" --tower "$GATE_TOWER")
  options+=(--by "$GATE_MEASURE" --launches "$GATE_LAUNCHES")
  if [ "$GATE_FRESH_WEIGHTS" = true ]; then options+=(--fresh-weights); fi
  status=0
  measuring "$python" -m pocketclip.benchmark.gate --base "$base" --head "$GITHUB_WORKSPACE" --out "$folder" \
    "${options[@]}" || status=$?
  if [ -f "$folder/comment.md" ]; then cat "$folder/comment.md" >>"$GITHUB_STEP_SUMMARY"; fi
  exit "$status"
  ;;
comment)
  if [ ! -f "$folder/comment.md" ]; then
    echo "::notice::there is no comparison to comment: the step before says why"
    exit 0
  fi
  comments="repos/$GITHUB_REPOSITORY/issues/$GATE_PULL_REQUEST/comments"
  mark=$(head -n 1 "$folder/comment.md")
  # The newest of ours is replaced: a pull request has one comment of each name, however often it is pushed.
  earlier=$(gh api --paginate "$comments" --jq ".[] | select(.body | startswith(\"$mark\")) | .id" | tail -n 1) || earlier=
  if [ -n "$earlier" ]; then
    call=(--method PATCH "repos/$GITHUB_REPOSITORY/issues/comments/$earlier")
  else
    call=(--method POST "$comments")
  fi
  if ! gh api "${call[@]}" --field "body=@$folder/comment.md" >/dev/null; then
    echo "::warning::the comparison could not be written as a comment: give the job 'pull-requests: write';" \
      "a pull request from a fork has no such right. The comparison is in the summary of this run."
  fi
  ;;
*)
  echo "there is no step $1" >&2
  exit 2
  ;;
esac
