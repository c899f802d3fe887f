/// What a model of a bundle gives for golden inputs, against what it should.
struct TowerChecks: Sendable {
    let bundle: ClipBundle

    /// A model's own golden inputs, against the golden outputs and against PyTorch's.
    ///
    /// A phone is never what computed the golden outputs: `tolerances.other` holds for them, `reference` for PyTorch's.
    func own(
        _ part: String, _ model: BundledTower, _ session: any ModelSession,
        isolation: isolated (any Actor)? = #isolation
    ) async throws -> [Check] {
        let found = await embeddings(session, try bundle.tensor(model.golden.inputs).samples)
        var checks = comparison(
            part, "golden outputs", found, try unitRows(model.golden.outputs), model.tolerances.other,
            Self.basis(model))
        if let tolerance = model.tolerances.reference {
            checks += comparison(
                part, "PyTorch's outputs", found, try unitRows(model.golden.reference), tolerance,
                "budget of \(model.precision)")
        }
        return checks
    }

    func embeddings(
        _ session: any ModelSession, _ inputs: [Tensor], isolation: isolated (any Actor)? = #isolation
    ) async -> Result<[[Float]], any Error> {
        do {
            var rows: [[Float]] = []
            for input in inputs {
                rows.append(try await session.embed(input))
            }
            return .success(rows)
        } catch {
            return .failure(error)
        }
    }

    func comparison(
        _ part: String, _ name: String, _ found: Result<[[Float]], any Error>, _ wanted: [[Float]],
        _ tolerance: Tolerance, _ basis: String
    ) -> [Check] {
        var cosine: Double?
        var error: Double?
        var note: String?
        switch found {
        case .success(let rows) where rows.map(\.count) == wanted.map(\.count):
            cosine = zip(rows, wanted).map { Vectors.cosine($0, $1) }.min()
            error = zip(rows, wanted).flatMap { zip($0, $1).map { abs(Double($0) - Double($1)) } }.max()
        case .success(let rows):
            note =
                "there are \(rows.count) of \(rows.first?.count ?? 0) values, not \(wanted.count) of \(wanted.first?.count ?? 0)"
        case .failure(let failure):
            note = (failure as? PocketClipError)?.message ?? "\(failure)"
        }
        return [
            Check(
                part: part, name: "\(name): cosine", samples: wanted.count, value: cosine, limit: .atLeast,
                bound: tolerance.cosineMin, basis: basis, note: note),
            Check(
                part: part, name: "\(name): error", samples: wanted.count, value: error, limit: .atMost,
                bound: tolerance.maxAbs, basis: basis, note: note),
        ]
    }

    func rows(_ stored: StoredTensor) throws -> [[Float]] {
        try bundle.tensor(stored).samples.map(\.floats)
    }

    static func basis(_ model: BundledTower) -> String {
        "other runtime or processor: twice the budget of \(model.precision)"
    }

    private func unitRows(_ stored: StoredTensor) throws -> [[Float]] {
        try rows(stored).map { Vectors.normalized($0) ?? $0 }
    }
}
