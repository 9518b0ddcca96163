d_enter
if d_load && [ "$l_token" = "$token" ]; then
  d_renew
  d_leave
  echo @renewed
else
  d_leave
  d_refuse lost "the lock is no longer ours"
fi
