# fish completion for harness-ws-server.

function __harness_ws_server_program
    # Never what was typed: Tab must not start a program that happens to have this name.
    if command -q harness-ws-server
        command harness-ws-server $argv </dev/null 2>/dev/null
    else
        @PROGRAM@ $argv </dev/null 2>/dev/null
    end
end

function __harness_ws_server_complete
    set -l before (commandline -opc)
    set -e before[1]
    set -l current (commandline -ct)
    set -l lines (__harness_ws_server_program complete fish --current="$current" -- $before)
    set -l directive $lines[1]
    set -e lines[1]
    test (count $lines) -gt 0; and printf '%s\n' $lines
    # --flag=path and NAME=path: the path begins after the sign.
    set -l kept (string match -r '^[^/]*=' -- $current)
    set -l path (string replace -r '^[^/]*=' '' -- $current)
    switch "$directive"
        case '*:files*'
            __fish_complete_path "$path" | string replace -r '^' "$kept"
        case '*:dirs*'
            __fish_complete_directories "$path" '' | string replace -r '^' "$kept"
    end
end

complete -c harness-ws-server -e
complete -c harness-ws-server -f -k -a '(__harness_ws_server_complete)'
