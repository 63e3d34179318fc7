namespace loratune {}
