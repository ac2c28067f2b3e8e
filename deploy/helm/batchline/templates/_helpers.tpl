{{/* Names are at most 50 long, so that with what follows them they stay within 63. What is cut off is
told by a hash, or two long names might become one. */}}
{{- define "batchline.shortened" -}}
{{- if gt (len .) 50 -}}
{{- printf "%s-%s" (trunc 41 . | trimSuffix "-") (sha256sum . | trunc 8) -}}
{{- else -}}
{{- . -}}
{{- end -}}
{{- end -}}

{{- define "batchline.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "batchline.fullname" -}}
{{- $name := include "batchline.name" . -}}
{{- $full := .Release.Name -}}
{{- if .Values.fullnameOverride -}}
{{- $full = .Values.fullnameOverride -}}
{{- else if not (contains $name .Release.Name) -}}
{{- $full = printf "%s-%s" .Release.Name $name -}}
{{- end -}}
{{- if not (regexMatch "^[a-z]" $full) -}}
{{- fail (printf "%q has to begin with a letter, as Services have to: set fullnameOverride" $full) -}}
{{- end -}}
{{- include "batchline.shortened" $full -}}
{{- end -}}

{{/* Of a component, which `component` names; `root` is the chart's. */}}
{{- define "batchline.selector" -}}
app.kubernetes.io/name: {{ include "batchline.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{- define "batchline.labels" -}}
{{ include "batchline.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- end -}}

{{- define "batchline.metadata" -}}
name: {{ include "batchline.fullname" .root }}-{{ .component }}
namespace: {{ .root.Release.Namespace }}
labels:
  {{- include "batchline.labels" . | nindent 2 }}
{{- end -}}

{{- define "batchline.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ printf "%s@%s" .repository .digest }}
{{- else -}}
{{ printf "%s:%s" .repository (default $.Chart.AppVersion .tag) }}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "batchline.secret" -}}
{{- required "secrets.existingSecret has to name a Secret with DATABASE_URL and REDIS_URL, which is there already (values.yaml says how it is made)" .Values.secrets.existingSecret -}}
{{- end -}}

{{/* A value as a setting is written: helm has all numbers as floating-point, and would write 5e+06; of
two dollar signs Kubernetes makes one. */}}
{{- define "batchline.value" -}}
{{- if kindIs "bool" . -}}
{{- ternary "1" "0" . | quote -}}
{{- else if kindIs "float64" . -}}
{{- ternary (int64 . | toString) (toString .) (eq (floor .) .) | quote -}}
{{- else -}}
{{- . | toString | replace "$" "$$" | quote -}}
{{- end -}}
{{- end -}}
