d_held
cat > "$stage/package"
