import Foundation

/// The CLIP byte-pair tokenizer, from a bundle's numbers alone (docs/bundles.md).
public struct Tokenizer: Sendable {
    public let spec: TokenizerSpec
    private let pattern: NSRegularExpression
    private let specials: [String: Int]
    private let byteIds: [Int]
    private let merges: MergeTable
    /// New ids by CLIP's; nil where the whole vocabulary is used.
    private let kept: [Int: Int]?

    /// - Throws: `BundleError.unfit` where the data does not fit together.
    public init(_ bundle: ClipBundle) throws {
        let spec = bundle.manifest.tokenizer
        try self.init(spec, merges: bundle.tensor(spec.merges), keptIds: spec.keptIds.map(bundle.tensor))
    }

    /// - Parameters:
    ///   - spec: how text is cleaned, split and framed.
    ///   - merges: `(48894, 2)` uint16, the parts of each merge by rank.
    ///   - keptIds: the ids of CLIP's vocabulary that a pruned one keeps, ascending, uint16.
    public init(_ spec: TokenizerSpec, merges: Tensor, keptIds: Tensor?) throws {
        self.spec = spec
        self.merges = try MergeTable(merges)
        kept = try keptIds.map { try Self.places(of: $0, besides: spec.specialTexts) }
        guard spec.byteOrder.sorted() == Array(0..<CLIPVocabulary.bytes) else {
            throw PocketClipError.bundle(.unfit(reason: "byte_order is not the 256 bytes in some order"))
        }
        var byteIds = [Int](repeating: 0, count: CLIPVocabulary.bytes)
        for (place, byte) in spec.byteOrder.enumerated() {
            byteIds[byte] = place
        }
        self.byteIds = byteIds
        specials = Dictionary(spec.specialTexts.map { ($0.text, $0.id) }) { _, last in last }
        // As in CLIP, special texts are looked for first.
        let alternatives = spec.specialTexts.map { NSRegularExpression.escapedPattern(for: $0.text) } + [spec.pattern]
        do {
            pattern = try NSRegularExpression(
                pattern: alternatives.joined(separator: "|"), options: .caseInsensitive)
        } catch {
            throw PocketClipError.bundle(.unfit(reason: "the tokenizer's pattern is no regular expression"))
        }
    }

    /// A sentence to `(1, contextLength)` int32 ids.
    public func callAsFunction(_ text: String) -> Tensor {
        var ids = [spec.startId] + encode(text) + [spec.endId]
        if ids.count > spec.contextLength {
            ids = Array(ids.prefix(spec.contextLength))
        }
        ids[ids.count - 1] = spec.endId
        ids += [Int](repeating: spec.padId, count: spec.contextLength - ids.count)
        return Tensor(shape: [1, spec.contextLength], values: .int32(ids.map(Int32.init(truncatingIfNeeded:))))
    }

    /// Ids of the text alone, neither framed nor cut.
    public func encode(_ text: String) -> [Int] {
        let cleaned = NSString(string: TextCleaning.clean(text, by: spec.cleaning))
        let whole = NSRange(location: 0, length: cleaned.length)
        var ids: [Int] = []
        for match in pattern.matches(in: cleaned as String, range: whole) where match.range.length > 0 {
            let word = cleaned.substring(with: match.range)
            if let special = specials[word] {
                ids.append(special)
            } else {
                ids += merges.merged(word.utf8.map { byteIds[Int($0)] })
            }
        }
        return kept.map { merges.pruned(ids, to: $0) } ?? ids
    }

    private static func places(of keptIds: Tensor, besides specials: [SpecialText]) throws -> [Int: Int] {
        guard case .uint16(let ids) = keptIds.values else {
            throw PocketClipError.bundle(.unfit(reason: "kept_ids are not uint16"))
        }
        let places = Dictionary(ids.enumerated().map { (Int($1), $0) }) { first, _ in first }
        guard zip(ids, ids.dropFirst()).allSatisfy({ $0 < $1 }),
            (0..<CLIPVocabulary.byteTokens).allSatisfy({ places[$0] != nil }),
            specials.allSatisfy({ places[$0.id] != nil }), ids.allSatisfy({ $0 < CLIPVocabulary.size })
        else {
            throw PocketClipError.bundle(
                .unfit(
                    reason:
                        "kept_ids do not hold every byte and special text once, and nothing beyond CLIP's ids, in ascending order"
                ))
        }
        return places
    }
}

/// The byte-pair merges by rank.
struct MergeTable: Sendable {
    private let parts: [UInt16]
    private let ranks: [UInt32: Int]

    init(_ merges: Tensor) throws {
        guard case .uint16(let parts) = merges.values, merges.shape == [CLIPVocabulary.mergeCount, 2] else {
            throw PocketClipError.bundle(
                .unfit(reason: "the merges are not \(CLIPVocabulary.mergeCount) pairs of uint16"))
        }
        for (place, part) in parts.enumerated() where Int(part) >= CLIPVocabulary.byteTokens + place / 2 {
            throw PocketClipError.bundle(.unfit(reason: "merge \(place / 2) is made of an id that comes after it"))
        }
        self.parts = parts
        var ranks: [UInt32: Int] = [:]
        ranks.reserveCapacity(CLIPVocabulary.mergeCount)
        for rank in 0..<CLIPVocabulary.mergeCount {
            ranks[Self.key(Int(parts[2 * rank]), Int(parts[2 * rank + 1]))] = rank
        }
        self.ranks = ranks
    }

    /// Ids of a word's bytes to those of its largest merges.
    func merged(_ bytes: [Int]) -> [Int] {
        var ids = bytes
        ids[ids.count - 1] += CLIPVocabulary.bytes
        while ids.count > 1 {
            let found = zip(ids, ids.dropFirst()).compactMap { ranks[Self.key($0, $1)] }.min()
            guard let rank = found else { break }
            let (left, right) = (Int(parts[2 * rank]), Int(parts[2 * rank + 1]))
            var next: [Int] = []
            next.reserveCapacity(ids.count)
            var place = 0
            while place < ids.count {
                if place + 1 < ids.count, ids[place] == left, ids[place + 1] == right {
                    next.append(CLIPVocabulary.byteTokens + rank)
                    place += 2
                } else {
                    next.append(ids[place])
                    place += 1
                }
            }
            ids = next
        }
        return ids
    }

    /// Ids of a pruned vocabulary: one that it dropped is taken apart until it is made of kept ones.
    func pruned(_ ids: [Int], to kept: [Int: Int]) -> [Int] {
        var result: [Int] = []
        var pending = Array(ids.reversed())
        while let old = pending.popLast() {
            if let new = kept[old] {
                result.append(new)
            } else {
                let row = 2 * (old - CLIPVocabulary.byteTokens)
                pending += [Int(parts[row + 1]), Int(parts[row])]
            }
        }
        return result
    }

    private static func key(_ left: Int, _ right: Int) -> UInt32 {
        UInt32(left) << 16 | UInt32(right)
    }
}
