# Completion of freshet for zsh: source <(freshet completion zsh)
_freshet() {
    local line
    local -a found
    while IFS= read -r line; do
        line=${line//:/\\:}
        found+=("${line/$'\t'/:}")
    done < <("${words[1]}" __complete -- "${(@)words[2,CURRENT]}" 2>/dev/null)
    if (( ${#found} )); then
        _describe 'freshet' found
    else
        _files
    fi
}
compdef _freshet freshet
