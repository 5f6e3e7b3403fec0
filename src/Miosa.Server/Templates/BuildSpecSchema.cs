using System.Text.Json.Nodes;

namespace Miosa.Server.Templates;

/// <summary>The JSON schema of a recipe, for editors and agents; <see cref="RecipeFields"/> is what decides.</summary>
internal static class BuildSpecSchema
{
    private const string Text = """
        {
          "$schema": "https://json-schema.org/draft/2020-12/schema",
          "title": "BuildSpec",
          "description": "How the image of a template is made, and what its sandboxes get unless they ask for something else.",
          "type": "object",
          "anyOf": [{ "required": ["from"] }, { "required": ["dockerfile"] }],
          "properties": {
            "from": { "type": "string", "description": "Template or image to begin with: id, slug, name, or an image of a registry. debian:bookworm and debian:trixie with packages make a new Debian system." },
            "from_auth": { "type": "object", "properties": { "username": { "type": "string" }, "password": { "type": "string" } }, "required": ["username", "password"], "description": "For the registry of from; kept for one build." },
            "dockerfile": { "type": "string", "maxLength": 131072, "description": "FROM, RUN, COPY, ADD, ENV, ARG, WORKDIR, USER, CMD, ENTRYPOINT, EXPOSE, LABEL. Instead of from and steps." },
            "context": {
              "type": "object", "maxProperties": 1000,
              "description": "Files for copy by relative path, at most 8 MiB together.",
              "additionalProperties": { "oneOf": [{ "type": "string" }, { "type": "object", "properties": { "base64": { "type": "string" } }, "required": ["base64"], "additionalProperties": false }] }
            },
            "args": { "type": "object", "description": "Values of the Dockerfile's ARGs.", "additionalProperties": { "type": "string" } },
            "steps": {
              "type": "array", "maxItems": 200,
              "items": {
                "type": "object",
                "oneOf": [
                  { "required": ["run"], "properties": { "run": { "oneOf": [{ "type": "string" }, { "type": "array", "items": { "type": "string" }, "minItems": 1 }] } } },
                  {
                    "required": ["copy", "to"],
                    "properties": {
                      "copy": { "oneOf": [{ "type": "string" }, { "type": "array", "items": { "type": "string" }, "minItems": 1 }] },
                      "to": { "type": "string" },
                      "owner": { "type": "string", "description": "user or user:group" },
                      "mode": { "type": "string", "pattern": "^[0-7]{3,4}$" }
                    }
                  },
                  { "required": ["env"], "properties": { "env": { "type": "object", "additionalProperties": { "type": "string" } } } },
                  { "required": ["workdir"], "properties": { "workdir": { "type": "string" } } },
                  { "required": ["user"], "properties": { "user": { "type": "string" } } }
                ]
              }
            },
            "packages": { "type": "array", "maxItems": 200, "items": { "type": "string", "pattern": "^[a-z0-9][a-z0-9+.-]+$" }, "description": "Debian packages." },
            "env": { "type": "object", "additionalProperties": { "type": "string" }, "description": "Environment of every command." },
            "workdir": { "type": "string", "pattern": "^/" },
            "user": { "type": "string" },
            "vcpu": { "type": "integer", "minimum": 1 },
            "memoryMib": { "type": "integer", "minimum": 128 },
            "diskMib": { "type": "integer", "minimum": 512 },
            "installCmd": { "type": "string" },
            "startCmd": { "type": "string" },
            "readyCmd": { "type": "string" },
            "previewPort": { "type": "integer", "minimum": 1, "maximum": 65535 },
            "artifactPaths": { "type": "array", "items": { "type": "string" } },
            "timeoutSec": { "type": "integer", "minimum": 1, "description": "Seconds a build may take." }
          }
        }
        """;

    // A new one each time: a node is written by one answer only.
    public static JsonObject Json() => JsonNode.Parse(Text)?.AsObject() ?? throw new InvalidOperationException("the schema is empty");
}
