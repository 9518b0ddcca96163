d_held
d_recover || d_refuse recovery "the interrupted deployment cannot be undone: $(tail -n 3 "$base/output/recovery.log" | tr '\n' ' ')"
