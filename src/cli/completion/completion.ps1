# PowerShell completion for harness-ws-server.

Register-ArgumentCompleter -Native -CommandName 'harness-ws-server', 'harness-ws-server.exe' -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)

    $before = @(
        $commandAst.CommandElements | Select-Object -Skip 1 |
            Where-Object { $_.Extent.EndOffset -lt $cursorPosition } |
            ForEach-Object {
                if ($_ -is [System.Management.Automation.Language.StringConstantExpressionAst]) { $_.Value }
                else { $_.Extent.Text }
            }
    )
    # Never what was typed: Tab must not start a program that happens to have this name.
    $program = Get-Command -Name 'harness-ws-server' -CommandType Application -ErrorAction Ignore |
        Select-Object -First 1
    $arguments = @('complete', 'powershell', "--current=$wordToComplete", '--') + $before
    $lines = @(
        try {
            if ($program) { & $program.Source @arguments 2>$null }
            else { & @PROGRAM@ @arguments 2>$null }
        } catch { }
    )
    if ($lines.Count -eq 0) { return }

    $lines | Select-Object -Skip 1 | ForEach-Object {
        $value, $about = $_ -split "`t", 2
        if (-not $value) { return }
        if (-not $about) { $about = $value }
        $text = $value
        if ($value -notmatch '^[A-Za-z0-9_.:/=+%-][A-Za-z0-9_.:/=+%@-]*$') {
            $text = "'" + ($value -replace "['\u2018\u2019\u201a\u201b]", '$0$0') + "'"
        }
        [System.Management.Automation.CompletionResult]::new($text, $value, 'ParameterValue', $about)
    }
    if ($lines[0] -match ':(files|dirs)') {
        [System.Management.Automation.CompletionCompleters]::CompleteFilename($wordToComplete)
    }
}
