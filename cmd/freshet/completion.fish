# Completion of freshet for fish: freshet completion fish > ~/.config/fish/completions/freshet.fish
function __freshet_complete
    set -l words (commandline -opc)
    set -l last (commandline -ct)
    $words[1] __complete -- $words[2..-1] "$last" 2>/dev/null
end
complete -c freshet -f -n 'test -n "$(__freshet_complete)"' -a '(__freshet_complete)'
complete -c freshet -F -n 'test -z "$(__freshet_complete)"'
