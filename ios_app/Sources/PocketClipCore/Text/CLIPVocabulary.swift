/// How CLIP lays out its ids: bytes, bytes that end a word, merges, start and end.
enum CLIPVocabulary {
    static let size = 49_408
    static let bytes = 256
    /// Ids of bytes, inside and at the end of a word; merges follow.
    static let byteTokens = 512
    static let mergeCount = size - byteTokens - 2
}
